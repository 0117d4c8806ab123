/* SPDX-License-Identifier: MIT */
/* Where in its 32 MiB a block lies in one start is right for another one, once in 32 times or more often. */
#include "tests/attack/attack.h"

static uint64_t sample(size_t size) { return (uintptr_t)malloc(size) % ATTACK_REACH_BYTES; }

int main(int argc, char **argv) {
    (void)argc;
    attack_end(attack_equal_permille(argv, sample) >= 31, "the place of a block, without its region");
}
