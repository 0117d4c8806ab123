/* SPDX-License-Identifier: MIT */
/* A worker frees much, and main waits for its end; both several times. Then main is alone, and frees much itself. Prints how many
 * threads there were at most while a worker ran, after how many workers there was one, and whether the process may do at last what only
 * a process of one thread may. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/preload/purge/tasks.h"

#define ROUNDS 3
#define BLOCKS 8

static int most, alone; /* threads; workers */

/* The kernel wakes who joins a thread a moment before it takes that thread from the list. */
static bool is_alone(void) {
    for (int looks = 0; looks < 3000; looks++) {
        if (threads() == 1) return true;
        usleep(10000);
    }
    return false;
}

static void allocate_and_free(void) {
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) blocks[i] = memset(malloc(1000000), 1, 1000000);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    free(malloc(100000));
}

static void *work(void *unused) {
    allocate_and_free();
    const int count = threads();
    if (count > most) most = count;
    return unused;
}

int main(void) {
    allocate_and_free();
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, work, NULL);
        pthread_join(thread, NULL);
        alone += is_alone();
    }
    allocate_and_free();
    printf("at most %d, alone %d of %d\n", most, alone, ROUNDS);
    printf("at last %d %s\n", threads(), unshare(CLONE_VM) == 0 ? "alone" : "not alone");
    return 0;
}
