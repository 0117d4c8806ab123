/* SPDX-License-Identifier: MIT */
/* A block is freed twice in a row. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    attack_spray(size, 400);
    char *const p = malloc(size);
    attack_begin();
    free(p);
    free(p);
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
