/* SPDX-License-Identifier: MIT */
/* A freed block, whose memory has the next owner, is grown by realloc, which frees it under that owner. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    char *const p = malloc(size);
    free(p);
    attack_malloc(size);
    attack_begin();
    char *const grown = realloc(p, size * 4);
    attack_over();
    if (grown != NULL) attack_own(grown, size * 4);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
