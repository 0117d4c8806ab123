/* SPDX-License-Identifier: MIT */
/* A wild index reads what the allocator keeps near the block, and writes it back after a free: the second free finds a
 * live block. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *block = NULL;
    for (unsigned i = 0; i < 40; i++) block = attack_malloc(size);
    attack_forget(block);
    attack_own(block, size);
    attack_keep_words(block);
    attack_begin();
    free(block);
    attack_restore_words();
    free(block);
    attack_over();
    attack_forget(block);
    attack_end(attack_spray_overlaps(size, 4000), "a block with two owners");
}
