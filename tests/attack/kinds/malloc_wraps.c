/* SPDX-License-Identifier: MIT */
/* malloc is asked for almost SIZE_MAX, which a header or rounding makes a small number. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    attack_begin();
    const void *const p = malloc(SIZE_MAX - 7);
    attack_over();
    attack_end(p != NULL, "a block smaller than was asked for");
}
