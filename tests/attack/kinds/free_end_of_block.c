/* SPDX-License-Identifier: MIT */
/* The end of a block is freed, which is another block, where no header lies between. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const struct attack_pair pair = attack_neighbours(attack_size(argv), false);
    attack_begin();
    free(pair.low + pair.size);
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(pair.size, ATTACK_MANY), "a block with two owners");
}
