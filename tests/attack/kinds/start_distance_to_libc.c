/* SPDX-License-Identifier: MIT */
/* A block lies at a distance from the C library that is right for another start once in 32 times or more often. */
#include "tests/attack/attack.h"

#include <gnu/libc-version.h>

static uint64_t sample(size_t size) { return (uintptr_t)malloc(size) - (uintptr_t)gnu_get_libc_version; }

int main(int argc, char **argv) {
    (void)argc;
    attack_end(attack_equal_permille(argv, sample) >= 31, "the address of a block, from one of the C library");
}
