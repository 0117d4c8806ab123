/* SPDX-License-Identifier: MIT */
/* The middle of a live block is freed. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    attack_spray(size, 400);
    char *const p = attack_malloc(size);
    attack_begin();
    free(p + (size / 2 & ~(size_t)15));
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
