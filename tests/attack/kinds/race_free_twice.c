/* SPDX-License-Identifier: MIT */
/* Two threads free one block at the same moment, 10,000 times; one chance is enough. */
#include "tests/attack/attack.h"

static size_t size;

static char *next(unsigned round) {
    (void)round;
    return malloc(size);
}

static void here(char *block) { free(block); }

int main(int argc, char **argv) {
    (void)argc;
    size = attack_size(argv);
    attack_race(next, here);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
