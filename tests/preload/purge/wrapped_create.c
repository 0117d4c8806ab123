/* SPDX-License-Identifier: MIT */
/* A program with a pthread_create of its own, which allocates and frees under a lock of its own, as programs do that keep a
 * list of their threads. What it frees there is enough for the allocator to want a thread; by this function it would wait for
 * the lock for ever. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned created;
static pthread_barrier_t barrier;

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                                          void *(*main)(void *), void *argument) {
    create *next = (create *)dlsym(RTLD_NEXT, "pthread_create");
    pthread_mutex_lock(&lock);
    created++;
    for (int i = 0; i < 8; i++) free(memset(malloc(4000000), 1, 4000000));
    const int error = next(thread, attributes, main, argument);
    pthread_mutex_unlock(&lock);
    return error;
}

static void *hold_a_block(void *unused) {
    free(malloc(100));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void *nothing(void *unused) { return unused; }

int main(void) {
    pthread_t threads[4];
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&threads[0], NULL, hold_a_block, NULL);
    pthread_barrier_wait(&barrier);
    /* Two threads have allocated from here on. */
    for (int i = 1; i < 4; i++) {
        pthread_create(&threads[i], NULL, nothing, NULL);
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_wait(&barrier);
    pthread_join(threads[0], NULL);
    printf("created %u\n", created);
    return 0;
}
