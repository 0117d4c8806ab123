/* SPDX-License-Identifier: MIT */
/* Threads of tests: start together, end together. */
#ifndef TESTS_HARNESS_THREADS_H
#define TESTS_HARNESS_THREADS_H

#include <limits.h>
#include <pthread.h>

#include "tests/harness/harness.h"

/* Rounds in which a destructor of thread-specific data that sets its value again is called. The last one is
 * ThreadSanitizer's own: the thread is dead to it afterwards. */
#ifdef HAK_TEST_TSAN
#define THREADS_DESTRUCTOR_ROUNDS (PTHREAD_DESTRUCTOR_ITERATIONS - 1)
#else
#define THREADS_DESTRUCTOR_ROUNDS PTHREAD_DESTRUCTOR_ITERATIONS
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* `index` counts from 0. It returns nothing, so that HAK_ASSERT_TRUE can be used in it. */
typedef void threads_body(void *argument, unsigned index);

#define THREADS_MAX 64

struct threads {
    unsigned count;
    threads_body *body;
    void *argument;
    pthread_barrier_t start; /* passed when all threads exist */
    struct threads_one {
        struct threads *all;
        pthread_t thread;
        unsigned index;
    } one[THREADS_MAX];
};

/* Starts `count` threads that all enter `body` at once, when the last of them exists, and returns when they do. A
 * system that has no more threads ends the test program with a message. */
void threads_start(struct threads *threads, unsigned count, threads_body *body, void *argument);

/* Waits until all have ended, their key destructors included. */
void threads_join(struct threads *threads);

/* Both. */
void threads_run(unsigned count, threads_body *body, void *argument);

#ifdef __cplusplus
}
#endif

#endif
