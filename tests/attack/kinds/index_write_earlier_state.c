/* SPDX-License-Identifier: MIT */
/* A wild index reads what the allocator keeps near the block, and writes it back after further mallocs: what was free
 * then is given out once more. No field has to be understood. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    const char *block = NULL;
    for (unsigned i = 0; i < 40; i++) block = attack_malloc(size);
    attack_keep_words(block);
    attack_spray(size, ATTACK_MANY);
    attack_begin();
    attack_restore_words();
    attack_over();
    attack_end(attack_spray_overlaps(size, 4000), "a block with two owners");
}
