/* SPDX-License-Identifier: MIT */
/* aligned_alloc is asked for almost SIZE_MAX, which the alignment makes a small number. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    attack_begin();
    const void *const p = aligned_alloc(4096, SIZE_MAX - 4095);
    attack_over();
    attack_end(p != NULL, "a block smaller than was asked for");
}
