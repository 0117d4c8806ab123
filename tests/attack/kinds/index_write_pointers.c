/* SPDX-License-Identifier: MIT */
/* A wild index replaces addresses in what the allocator keeps near the block by one of the attacker's: all, or the word
 * at one place of each 256 bytes. Then malloc returns it. */
#include "tests/attack/attack.h"

static char *block;
static unsigned place;
static size_t size;

static void forge(uint64_t *word) {
    if (place < 32 && (uintptr_t)word / 8 % 32 != place) return;
    if ((*word ^ (uintptr_t)block) < ATTACK_REACH_BYTES) *word = (uintptr_t)attack_target;
}

static bool attempt(unsigned number) {
    place = number;
    attack_for_each_word(block, forge);
    attack_over();
    return attack_malloc_returns_target(size);
}

int main(int argc, char **argv) {
    (void)argc;
    size = attack_size(argv);
    for (unsigned i = 0; i < 20; i++) block = attack_malloc(size);
    attack_try(33, attempt, "malloc returns an address that the attacker chose");
}
