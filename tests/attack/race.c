/* SPDX-License-Identifier: MIT */
/* Two threads with one block at the same moment. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tests/attack/attack.h"

static _Atomic unsigned turn, done;
static char *_Atomic shared;

/* Spins, so that both are there at the same moment; the other thread may wait for this processor. */
static void wait_for(_Atomic unsigned *count, unsigned round) {
    for (unsigned turns = 1; *count != round; turns++) {
        if (turns % 4096 == 0) sched_yield();
    }
}

static void *free_each(void *unused) {
    for (unsigned round = 1; round <= ATTACK_ROUNDS; round++) {
        wait_for(&turn, round);
        free(shared);
        done = round;
    }
    return unused;
}

void attack_race(char *(*next)(unsigned round), void (*here)(char *block)) {
    pthread_t thread;
    attack_require(pthread_create(&thread, NULL, free_each, NULL) == 0);
    attack_begin();
    for (unsigned round = 1; round <= ATTACK_ROUNDS; round++) {
        char *const block = next(round);
        shared = block;
        turn = round;
        for (volatile unsigned wait = 0; wait < round % 24; wait++) {
        }
        here(block);
        wait_for(&done, round);
    }
    attack_over();
}
