/* SPDX-License-Identifier: MIT */
/* A cancellation waits for the thread's next cancellation point: no call of the allocator is one, also where it writes. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 400

static const char *what;

static void *call(void *unused) {
    static void *blocks[BLOCKS];
    pthread_cancel(pthread_self());
    for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(64);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    if (strcmp(what, "misuse") == 0) free(blocks[0]);
    if (strcmp(what, "stats") == 0) malloc_stats();
    for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(64);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    return unused;
}

int main(int argc, char **argv) {
    pthread_t thread;
    void *result = NULL;
    what = argc > 1 ? argv[1] : "";
    pthread_create(&thread, NULL, call, NULL);
    pthread_join(thread, &result);
    puts(result == PTHREAD_CANCELED ? "cancelled" : "went on to its end");
    return 0;
}
