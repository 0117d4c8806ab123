/* SPDX-License-Identifier: MIT */
/* See load.h. */
#include "tests/preload/life/load.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/preload/life/life.h"

#define SLOTS 48
#define TRIM_PERIOD 2048

static void *mailboxes[LOAD_THREADS]; /* atomic: each thread puts into its own and takes from its neighbour's */
static bool told_to_end;              /* atomic */
static pthread_t threads[LOAD_THREADS];

static void *new_block(uint64_t *random) {
    void *block = life_block_new(life_sizes[life_random(random) % life_size_count]);
    LIFE_CHECK(block != NULL);
    return block;
}

static void *work(void *argument) {
    const unsigned index = (unsigned)(uintptr_t)argument;
    uint64_t random = index + 1;
    void *slots[SLOTS] = {NULL};
    /* Relaxed: only the end of the loop hangs on it. */
    while (!__atomic_load_n(&told_to_end, __ATOMIC_RELAXED)) {
        void **slot = &slots[life_random(&random) % SLOTS];
        life_block_free(*slot);
        *slot = new_block(&random);
        /* Acquire-release: what is in a block was written before it was handed over. */
        life_block_free(__atomic_exchange_n(&mailboxes[(index + 1) % LOAD_THREADS], NULL, __ATOMIC_ACQ_REL));
        life_block_free(__atomic_exchange_n(&mailboxes[index], new_block(&random), __ATOMIC_ACQ_REL));
        if (life_random(&random) % TRIM_PERIOD == 0) {
            malloc_trim(0);
        }
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        life_block_free(slots[i]);
    }
    return NULL;
}

void load_start(void) {
    for (unsigned i = 0; i < LOAD_THREADS; i++) {
        LIFE_CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) == 0);
    }
}

void load_stop(void) {
    __atomic_store_n(&told_to_end, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < LOAD_THREADS; i++) {
        LIFE_CHECK(pthread_join(threads[i], NULL) == 0);
    }
    load_take_over();
}

void load_take_over(void) {
    for (unsigned i = 0; i < LOAD_THREADS; i++) {
        life_block_free(__atomic_exchange_n(&mailboxes[i], NULL, __ATOMIC_ACQ_REL));
    }
}

void load_use_every_size(void) {
    void *blocks[64];
    LIFE_CHECK(life_size_count <= sizeof blocks / sizeof blocks[0]);
    for (unsigned i = 0; i < life_size_count; i++) {
        LIFE_CHECK((blocks[i] = life_block_new(life_sizes[i])) != NULL);
    }
    for (unsigned i = 0; i < life_size_count; i++) {
        life_block_free(blocks[i]);
    }
}
