/* SPDX-License-Identifier: MIT */
/* A wild index replaces the low three bytes of addresses that the allocator keeps near the block, with no address
 * known: at one place of each 256 bytes. Then live blocks are given out again. */
#include "tests/attack/attack.h"

static char *block, *victim;
static unsigned place;
static size_t size;

static void forge(uint64_t *word) {
    if ((uintptr_t)word / 8 % 32 != place || (*word ^ (uintptr_t)block) >= ATTACK_REACH_BYTES) return;
    *word = (*word & ~(uint64_t)0xffffff) | ((uintptr_t)victim & 0xffffff);
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
    victim = (char *)((uintptr_t)block & ~(uintptr_t)15);
    attack_try(32, attempt, "a block with two owners");
}
