/* SPDX-License-Identifier: MIT */
/* pvalloc rounds almost SIZE_MAX up to pages: the sum is a small number. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    attack_begin();
    const void *const p = pvalloc(SIZE_MAX - 100);
    attack_over();
    attack_end(p != NULL, "a block smaller than was asked for");
}
