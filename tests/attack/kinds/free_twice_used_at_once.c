/* SPDX-License-Identifier: MIT */
/* A block is freed twice in a row, and given out twice by the very next mallocs, before anything is looked at. */
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
    attack_end(attack_spray_overlaps(size, 2), "a block with two owners");
}
