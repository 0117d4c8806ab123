/* SPDX-License-Identifier: MIT */
/* A block is freed, then twenty others, then it again. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    attack_spray(size, 400);
    char *p[21];
    for (unsigned i = 0; i < 21; i++) p[i] = malloc(size);
    for (unsigned i = 0; i < 21; i++) free(p[i]);
    attack_begin();
    free(p[0]);
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
