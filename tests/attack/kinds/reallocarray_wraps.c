/* SPDX-License-Identifier: MIT */
/* reallocarray is asked for more than there is memory: the product is a small number. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    attack_begin();
    const void *const p = reallocarray(malloc(16), (size_t)1 << 62, 8);
    attack_over();
    attack_end(p != NULL, "a block smaller than was asked for");
}
