/* SPDX-License-Identifier: MIT */
/* See handlers.h. */
#include "tests/preload/fork/handlers.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>

#define BLOCKS 64

static sem_t wanted, done;
static bool has_thread;

/* Enough of each size to come to the slow paths. */
static void allocate(void) {
    void *blocks[BLOCKS];
    for (size_t size = 16; size < 4000000; size *= 4) {
        for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(size);
        for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    }
}

static void *serve(void *unused) {
    for (;;) {
        sem_wait(&wanted);
        allocate();
        sem_post(&done);
    }
    return unused;
}

static void allocate_before(void) {
    allocate();
    if (has_thread) {
        sem_post(&wanted);
        sem_wait(&done);
    }
}

static void allocate_after(void) { allocate(); }

__attribute__((constructor)) static void register_handlers(void) {
    pthread_atfork(allocate_before, allocate_after, allocate_after);
}

void handlers_start_thread(void) {
    pthread_t thread;
    sem_init(&wanted, 0, 0);
    sem_init(&done, 0, 0);
    has_thread = pthread_create(&thread, NULL, serve, NULL) == 0;
}
