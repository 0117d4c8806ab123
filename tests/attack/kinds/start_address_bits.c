/* SPDX-License-Identifier: MIT */
/* Fewer than 24 bits of a block's address vary from start to start. */
#include "tests/attack/attack.h"

static uint64_t sample(size_t size) { return (uintptr_t)malloc(size); }

int main(int argc, char **argv) {
    (void)argc;
    attack_end(attack_varying_bits(argv, sample) < 24, "an address that can be guessed");
}
