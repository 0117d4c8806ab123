/* SPDX-License-Identifier: MIT */
/* Two threads free a block of a third one at the same moment, 10,000 times; one chance is enough. */
#include <pthread.h>

#include "tests/attack/attack.h"

static char *blocks[ATTACK_ROUNDS + 1];

static void *make(void *size) {
    for (unsigned round = 1; round <= ATTACK_ROUNDS; round++) blocks[round] = malloc((size_t)size);
    return NULL;
}

static char *next(unsigned round) { return blocks[round]; }

static void here(char *block) { free(block); }

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    pthread_t thread;
    attack_require(pthread_create(&thread, NULL, make, (void *)size) == 0);
    pthread_join(thread, NULL);
    attack_race(next, here);
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
