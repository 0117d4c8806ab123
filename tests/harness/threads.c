/* SPDX-License-Identifier: MIT */
/* Threads of tests; the contract stands in threads.h. */
#include "tests/harness/threads.h"

#include <stdio.h>
#include <stdlib.h>

static void *enter(void *argument) {
    struct threads_one *one = argument;
    pthread_barrier_wait(&one->all->start);
    one->all->body(one->all->argument, one->index);
    return NULL;
}

/* A half-started group would wait at its barrier for ever. */
static void need(int error, const char *what) {
    if (error == 0) return;
    fprintf(stderr, "threads of a test: %s failed with error %d\n", what, error);
    abort();
}

void threads_start(struct threads *threads, unsigned count, threads_body *body, void *argument) {
    need(count > THREADS_MAX, "the count");
    threads->count = count;
    threads->body = body;
    threads->argument = argument;
    need(pthread_barrier_init(&threads->start, NULL, count + 1), "pthread_barrier_init");
    for (unsigned i = 0; i < count; i++) {
        struct threads_one *one = &threads->one[i];
        one->all = threads;
        one->index = i;
        need(pthread_create(&one->thread, NULL, enter, one), "pthread_create");
    }
    pthread_barrier_wait(&threads->start);
}

void threads_join(struct threads *threads) {
    for (unsigned i = 0; i < threads->count; i++) need(pthread_join(threads->one[i].thread, NULL), "pthread_join");
    pthread_barrier_destroy(&threads->start);
}

void threads_run(unsigned count, threads_body *body, void *argument) {
    struct threads threads;
    threads_start(&threads, count, body, argument);
    threads_join(&threads);
}
