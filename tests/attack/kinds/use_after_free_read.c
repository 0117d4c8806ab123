/* SPDX-License-Identifier: MIT */
/* A freed block is read: its secret is still there. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *const p = malloc(size);
    memset(p, 'S', size);
    free(p);
    attack_begin();
    const bool seen = memcmp(p + size / 2, "SSSSSSSSSSSSSSSS", 16) == 0;
    attack_over();
    attack_end(seen, "the secret of a freed block");
}
