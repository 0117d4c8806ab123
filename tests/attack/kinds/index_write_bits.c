/* SPDX-License-Identifier: MIT */
/* A wild index sets all bits of words that the allocator keeps near the block, at one place of each 256 bytes or in the
 * words that have some bits set: blocks that live are free to it. */
#include "tests/attack/attack.h"

static char *block;
static unsigned place;
static size_t size;

static void forge(uint64_t *word) {
    if (*word != 0 && *word + 1 != 0 && (place == 32 || (uintptr_t)word / 8 % 32 == place)) *word = UINT64_MAX;
}

static bool attempt(unsigned number) {
    place = number;
    attack_for_each_word(block, forge);
    attack_over();
    return attack_spray_overlaps(size, 4000);
}

int main(int argc, char **argv) {
    (void)argc;
    size = attack_size(argv);
    for (unsigned i = 0; i < 40; i++) block = attack_malloc(size);
    attack_try(33, attempt, "a block with two owners");
}
