/* SPDX-License-Identifier: MIT */
/* A wild index replaces addresses that the allocator keeps near the block, at one place of each 256 bytes, while lists
 * hold much of it; or what may be the numbers of 64 KiB, two in a word. Then the allocator writes where the attacker says. */
#include "tests/attack/attack.h"

enum { BLOCKS = 30000 };
static char *blocks[BLOCKS];
static unsigned place, count;

static void forge(uint64_t *word) {
    const bool is_address = (*word ^ (uintptr_t)blocks[0]) < ATTACK_REACH_BYTES && *word % 8 == 0;
    if ((uintptr_t)word / 8 % 32 == place && is_address) *word = (uintptr_t)attack_target + ATTACK_TARGET_BYTES / 2;
}

/* The half of the word, as the number of the heap's 64 KiB that it may be. */
static void forge_half(uint64_t *word, unsigned shift) {
    const uint32_t half = (uint32_t)(*word >> shift);
    if (half != 0 && (half ^ (uintptr_t)blocks[0] >> 16) < ATTACK_REACH_BYTES >> 16) {
        *word = (*word & ~((uint64_t)UINT32_MAX << shift)) | ((uintptr_t)attack_target >> 16 & UINT32_MAX) << shift;
    }
}

static void forge_numbers(uint64_t *word) {
    if ((uintptr_t)word / 8 % 32 == place) forge_half(word, 0), forge_half(word, 32);
}

static bool attempt(unsigned number) {
    place = number % 32;
    attack_for_each_word(blocks[0], number < 32 ? forge : forge_numbers);
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
    attack_try(64, attempt, "a write where the attacker chose");
}
