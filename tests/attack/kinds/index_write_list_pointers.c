/* SPDX-License-Identifier: MIT */
/* A wild index replaces addresses that the allocator keeps near the block, at one place of each 256 bytes, while lists
 * hold much of it. Then it writes where the attacker says. */
#include "tests/attack/attack.h"

enum { BLOCKS = 30000 };
static char *blocks[BLOCKS];
static unsigned place, count;

static void forge(uint64_t *word) {
    const bool is_address = (*word ^ (uintptr_t)blocks[0]) < ATTACK_REACH_BYTES && *word % 8 == 0;
    if ((uintptr_t)word / 8 % 32 == place && is_address) *word = (uintptr_t)attack_target + ATTACK_TARGET_BYTES / 2;
}

static bool attempt(unsigned number) {
    place = number;
    attack_for_each_word(blocks[0], forge);
    attack_over();
    for (unsigned i = 0; i < count; i++) {
        if (i % 4 != 0) free(blocks[i]);
    }
    for (unsigned i = 0; i < count; i += 4) free(blocks[i]);
    return attack_target_is_written();
}

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    count = size > 1000 ? 2000 : BLOCKS;
    for (unsigned i = 0; i < count; i++) blocks[i] = attack_malloc(size);
    for (unsigned i = 0; i < count; i++) {
        if (i % 4 != 0) attack_forget(blocks[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        if (i % 4 == 1) free(blocks[i]), blocks[i] = NULL;
    }
    attack_try(32, attempt, "a write where the attacker chose");
}
