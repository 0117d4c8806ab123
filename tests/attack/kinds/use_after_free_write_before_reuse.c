/* SPDX-License-Identifier: MIT */
/* A freed block is written before its memory has an owner, who then finds the values of the attacker in it. */
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
        p = malloc(size);
        if (memcmp(p + size / 2, "AAAAAAAAAAAAAAAA", 16) == 0)
            attack_gained("a new block with content of the attacker");
    }
    attack_end(false, "");
}
