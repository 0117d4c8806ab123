/* SPDX-License-Identifier: MIT */
/* A number that is no address is freed. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    free(malloc(attack_size(argv)));
    attack_begin();
    free((void *)0x1230);
    attack_over();
    attack_free_oldest(300);
    attack_end(attack_spray_overlaps(attack_size(argv), ATTACK_MANY), "a block with two owners");
}
