/* SPDX-License-Identifier: MIT */
/* A freed block is written before calloc gives it out, whose caller relies on zeros. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *p = malloc(size);
    free(p);
    attack_begin();
    memset(p + size / 2, 'A', 16);
    attack_over();
    for (unsigned i = 0; i < (size > 100000 ? 30 : 5000); i++) {
        p = calloc(1, size);
        for (size_t at = 0; at < size; at++) {
            if (p[at] != 0) attack_gained("a block of calloc that is not zero");
        }
    }
    attack_end(false, "");
}
