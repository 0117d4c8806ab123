/* SPDX-License-Identifier: MIT */
/* The first word of freed blocks is replaced by an address of the attacker: the next of a list that lies in them. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    uint64_t *blocks[64];
    for (unsigned i = 0; i < 64; i++) blocks[i] = malloc(size);
    for (unsigned i = 0; i < 64; i++) free(blocks[i]);
    attack_begin();
    for (unsigned i = 0; i < 64; i++) blocks[i][0] = (uintptr_t)attack_target;
    attack_over();
    attack_end(attack_malloc_returns_target(size), "malloc returns an address that the attacker chose");
}
