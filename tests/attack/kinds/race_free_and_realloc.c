/* SPDX-License-Identifier: MIT */
/* One thread frees a block while another one grows it by realloc, 10,000 times; one chance is enough. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tests/attack/attack.h"

enum { ROUNDS = 10000 };
static _Atomic unsigned turn, done;
static char *_Atomic shared;

/* The other thread may wait for this processor. */
static void rest(unsigned turns) {
    if (turns % 4096 == 0) sched_yield();
}

static void *other(void *unused) {
    for (unsigned round = 1; round <= ROUNDS; round++) {
        for (unsigned k = 1; turn != round; k++) rest(k);
        free(shared);
        done = round;
    }
    return unused;
}

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    pthread_t thread;
    attack_require(pthread_create(&thread, NULL, other, NULL) == 0);
    attack_begin();
    for (unsigned round = 1; round <= ROUNDS; round++) {
        char *const p = malloc(size);
        shared = p;
        turn = round;
        for (volatile unsigned wait = 0; wait < round % 24; wait++) {
        }
        free(realloc(p, size * 4));
        for (unsigned k = 1; done != round; k++) rest(k);
    }
    attack_over();
    attack_end(attack_spray_overlaps(size, ATTACK_MANY), "a block with two owners");
}
