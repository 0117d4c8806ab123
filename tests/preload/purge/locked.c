/* SPDX-License-Identifier: MIT */
/*     locked
 *
 * Two threads; a block is locked into memory and freed, among others. What the system does not take is not asked for again:
 * prints whether a thread of the allocator's came and went, within a minute. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/preload/purge/tasks.h"

static pthread_barrier_t barrier;

static void *hold(void *unused) {
    free(malloc(100));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

int main(void) {
    pthread_t thread;
    char *blocks[8];
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, hold, NULL);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 8; i++) blocks[i] = memset(malloc(1000000), 1, 1000000);
    if (mlock(blocks[3], 40000) != 0) puts("not locked");
    for (int i = 0; i < 8; i++) free(blocks[i]);
    const int most = threads();
    int now = most;
    for (int turns = 0; turns < 6000 && now > 2; turns++) {
        usleep(10000);
        now = threads();
    }
    printf("threads %d, then %d\n", most, now);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    return 0;
}
