/* SPDX-License-Identifier: MIT */
/* Linked into tests that say that they have one thread (tests.bzl: ONE_THREAD): beginning another one ends them. So what is not
 * run under ThreadSanitizer, because one thread has no races, has one thread. The allocator begins its own threads by the C
 * library's function, whatever a program has under this name. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument) {
    static const char said[] = "this test is in ONE_THREAD of tests/tests.bzl, and begins a thread\n";
    (void)thread, (void)attributes, (void)main, (void)argument;
    if (write(STDERR_FILENO, said, sizeof said - 1) < 0) {
        _exit(1);
    }
    abort();
}
