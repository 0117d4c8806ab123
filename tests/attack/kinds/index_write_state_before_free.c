/* SPDX-License-Identifier: MIT */
/* A wild index reads what the allocator keeps near the block, and writes it back after a free: the second free finds a
 * live block. */
#include "tests/attack/attack.h"

static struct { uint64_t *word, value; } before[1 << 20];
static unsigned count;

static void keep(uint64_t *word) {
    if (count == sizeof before / sizeof before[0]) return;
    before[count].word = word;
    before[count++].value = *word;
}

static void restore(void) {
    for (unsigned i = 0; i < count; i++) {
        if (*before[i].word != before[i].value && !attack_is_owned((uintptr_t)before[i].word)) {
            *before[i].word = before[i].value;
        }
    }
}

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *block = NULL;
    for (unsigned i = 0; i < 40; i++) block = attack_malloc(size);
    attack_forget(block);
    attack_own(block, size);
    attack_for_each_word(block, keep);
    attack_begin();
    free(block);
    restore();
    free(block);
    attack_over();
    attack_forget(block);
    attack_end(attack_spray_overlaps(size, 4000), "a block with two owners");
}
