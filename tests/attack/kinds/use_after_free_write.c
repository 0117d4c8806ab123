/* SPDX-License-Identifier: MIT */
/* A freed block is written once its memory has the next owner, the very next malloc. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *const p = malloc(size);
    free(p);
    attack_malloc(size);
    attack_begin();
    memset(p, 'A', 64);
    attack_over();
    attack_end(attack_spoiled() != NULL, "another live block is changed");
}
