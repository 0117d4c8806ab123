/* SPDX-License-Identifier: MIT */
/* Threads that allocate a handful of blocks and then wait: what does each cost?
 *
 *     idle_threads COUNT [SIZE...]
 *
 * Each thread keeps two blocks of every SIZE and frees a third. Prints resident bytes before the threads, with threads
 * that wait and never allocated, and with those that did. */
#include <pthread.h>
#include <stdlib.h>

#include "tests/preload/life/life.h"

#define THREADS_MAX 1024
#define SIZES_MAX 16
#define STACK_BYTES (64 * KIB)

static size_t sizes[SIZES_MAX];
static int size_count;
static pthread_barrier_t barrier;

static void allocate_a_handful(void) {
    for (int i = 0; i < size_count; i++) {
        for (int round = 0; round < 3; round++) {
            void *block = life_block_new(sizes[i]);
            LIFE_CHECK(block != NULL);
            if (round == 1) {
                life_block_free(block);
            }
        }
    }
}

static void *wait_only(void *unused) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void *allocate_and_wait(void *unused) {
    allocate_a_handful();
    return wait_only(unused);
}

/* Resident bytes while `count` threads wait. */
static uint64_t resident_with(void *(*main)(void *), unsigned count) {
    static pthread_t threads[THREADS_MAX];
    pthread_attr_t attributes;
    LIFE_CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0);
    LIFE_CHECK(pthread_barrier_init(&barrier, NULL, count + 1) == 0);
    for (unsigned i = 0; i < count; i++) {
        LIFE_CHECK(pthread_create(&threads[i], &attributes, main, NULL) == 0);
    }
    pthread_barrier_wait(&barrier);
    const uint64_t resident = life_resident_bytes();
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < count; i++) {
        LIFE_CHECK(pthread_join(threads[i], NULL) == 0);
    }
    return resident;
}

int main(int argc, char **argv) {
    const unsigned count = argc >= 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    LIFE_CHECK(count >= 1 && count <= THREADS_MAX && argc - 2 <= SIZES_MAX);
    for (int i = 2; i < argc; i++) {
        sizes[size_count++] = strtoull(argv[i], NULL, 10);
    }
    life_begin();
    life_touch_code();
    allocate_a_handful();
    const uint64_t without = life_resident_bytes();
    const uint64_t waiting = resident_with(wait_only, count);
    const uint64_t allocated = resident_with(allocate_and_wait, count);
    life_print("{\"threads\": %u, \"resident\": %lu, \"with_waiting\": %lu, \"with_allocating\": %lu}", count, without,
               waiting, allocated);
    return 0;
}
