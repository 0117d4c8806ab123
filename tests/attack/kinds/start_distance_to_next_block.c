/* SPDX-License-Identifier: MIT */
/* Two blocks in a row lie at a distance from each other that is right for every other start, half of the time. */
#include "tests/attack/attack.h"

static uint64_t sample(size_t size) {
    const uintptr_t first = (uintptr_t)malloc(size);
    return (uintptr_t)malloc(size) - first;
}

int main(int argc, char **argv) {
    (void)argc;
    attack_end(attack_equal_permille(argv, sample) >= 250, "the distance to the next block");
}
