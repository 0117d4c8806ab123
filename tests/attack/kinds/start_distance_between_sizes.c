/* SPDX-License-Identifier: MIT */
/* Blocks of two sizes lie at a distance from each other that is right for another start once in 32 times or more often.
 * */
#include "tests/attack/attack.h"

static uint64_t sample(size_t size) {
    const uintptr_t other = (uintptr_t)malloc(1000);
    return (uintptr_t)malloc(size) - other;
}

int main(int argc, char **argv) {
    (void)argc;
    attack_end(attack_equal_permille(argv, sample) >= 31, "the distance to a block of another size");
}
