/* SPDX-License-Identifier: MIT */
/* A new block is read before it is written: the secret of its memory's last owner is there. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    const unsigned count = size > 100000 ? 8 : 1000;
    char *blocks[1000];
    for (unsigned i = 0; i < count; i++) memset(blocks[i] = malloc(size), 'S', size);
    for (unsigned i = 0; i < count; i++) free(blocks[i]);
    attack_begin();
    bool seen = false;
    for (unsigned i = 0; i < count; i++)
        seen = seen || memcmp((char *)malloc(size) + size / 2, "SSSSSSSSSSSSSSSS", 16) == 0;
    attack_over();
    attack_end(seen, "the secret of a freed block");
}
