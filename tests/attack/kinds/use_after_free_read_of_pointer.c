/* SPDX-License-Identifier: MIT */
/* Freed blocks are read for an address that the allocator stored in them. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    uint64_t *blocks[64];
    for (unsigned i = 0; i < 64; i++) blocks[i] = calloc(1, size);
    for (unsigned i = 0; i < 64; i += 2) free(blocks[i]);
    attack_begin();
    bool seen = false;
    for (unsigned i = 0; i < 64; i += 2)
        seen = seen || attack_is_mapped(blocks[i][0]) || attack_is_mapped(blocks[i][1]);
    attack_over();
    attack_end(seen, "an address");
}
