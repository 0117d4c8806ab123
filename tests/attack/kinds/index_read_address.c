/* SPDX-License-Identifier: MIT */
/* A wild index reads what the allocator keeps near the block, and finds an address. */
#include "tests/attack/attack.h"

static bool seen;

static void look(uint64_t *word) { seen = seen || attack_is_mapped(*word); }

int main(int argc, char **argv) {
    (void)argc;
    const char *block = NULL;
    for (unsigned i = 0; i < 40; i++) block = attack_malloc(attack_size(argv));
    attack_begin();
    attack_for_each_word(block, look);
    attack_over();
    attack_end(seen, "an address");
}
