/* SPDX-License-Identifier: MIT */
/* A freed block is read once its memory has the next owner, the very next malloc. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *const p = malloc(size);
    free(p);
    attack_malloc(size);
    attack_begin();
    const bool seen = memcmp(p, "VVVVVVVVVVVVVVVV", 16) == 0;
    attack_over();
    attack_end(seen, "the secret of another live block");
}
