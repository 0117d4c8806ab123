/* SPDX-License-Identifier: MIT */
/* realloc moved a block, and the old pointer is freed. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    attack_spray(size, 400);
    char *const p = malloc(size);
    attack_malloc(size);
    char *const moved = realloc(p, size * 16);
    attack_require(moved != NULL);
    attack_own(moved, size * 16);
    attack_begin();
    if (moved != p) free(p);
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
