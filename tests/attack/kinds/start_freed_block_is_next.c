/* SPDX-License-Identifier: MIT */
/* The block that was freed last is what malloc returns next, half of the time. */
#include "tests/attack/attack.h"

static uint64_t sample(size_t size) {
    const uintptr_t freed = (uintptr_t)malloc(size);
    free((void *)freed);
    return (uintptr_t)malloc(size) - freed;
}

int main(int argc, char **argv) {
    (void)argc;
    attack_end(attack_equal_permille(argv, sample) >= 250, "the next owner of freed memory");
}
