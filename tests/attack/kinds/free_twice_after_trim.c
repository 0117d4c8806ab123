/* SPDX-License-Identifier: MIT */
/* A block is freed, memory goes back to the system, and it is freed again. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *const p = malloc(size);
    free(p);
    malloc_trim(0);
    attack_begin();
    free(p);
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
