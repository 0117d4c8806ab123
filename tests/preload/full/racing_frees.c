/* SPDX-License-Identifier: MIT */
/* ROUNDS: two threads free one block at the same moment, so often; for the reports, one a round. Prints how many of the blocks that
 * are allocated afterwards are given out twice. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { AFTERWARDS = 400, SPINS = 2000 };

static atomic_int turn, done;
static void *_Atomic shared;

/* Spins, so that both are there at the same moment; on one processor it gives way. */
static void wait_for(atomic_int *count, int wanted) {
    for (unsigned spins = 0; atomic_load(count) != wanted; spins++) {
        if (spins % SPINS == SPINS - 1) sched_yield();
    }
}

static void *free_too(void *rounds) {
    for (int round = 1; round <= *(int *)rounds; round++) {
        wait_for(&turn, round);
        free(atomic_load(&shared));
        atomic_store(&done, round);
    }
    return NULL;
}

int main(int count, char **arguments) {
    static void *got[AFTERWARDS];
    int rounds = atoi(arguments[count - 1]), twice = 0;
    pthread_t other;
    if (pthread_create(&other, NULL, free_too, &rounds) != 0) return 1;
    for (int round = 1; round <= rounds; round++) {
        void *p = malloc(64);
        atomic_store(&shared, p);
        atomic_store(&turn, round);
        for (volatile int delay = 0; delay < round % 24; delay++) {
        }
        free(p);
        wait_for(&done, round);
    }
    if (pthread_join(other, NULL) != 0) return 1;
    for (int i = 0; i < AFTERWARDS; i++) {
        got[i] = malloc(64);
        for (int k = 0; k < i; k++) twice += got[k] == got[i];
    }
    printf("%d given out twice\n", twice);
    return 0;
}
