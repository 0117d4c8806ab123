/* SPDX-License-Identifier: MIT */
/* A freed block is given to realloc, which returns it as though it lived; then malloc gives it out. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *const p = malloc(size);
    free(p);
    attack_begin();
    char *const same = realloc(p, size - 1);
    attack_over();
    if (same != NULL) attack_own(same, size - 1);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
