/* SPDX-License-Identifier: MIT */
/* The C library frees a thread's table of thread-local storage while it holds the lock of its cache of stacks: when a
 * thread is joined and more than 40 MiB of stacks are cached. pthread_create takes the same lock. So an allocator that
 * starts a thread of its own out of that free waits for itself for ever. This program brings about that very moment:
 *
 * - Threads with stacks of 8 MiB, more than the cache keeps, allocate blocks and free some of them, and
 *   are all held at a barrier. Their ends then give megabytes back to the allocator, with nobody calling it.
 * - Before, main fills the place where the allocator gathers freed blocks of the table's class, up to the last: the
 *   next free of that class is the one that takes the slow path.
 * - Nobody calls the allocator between that and the joins.
 *
 * With HAKMEM_PURGE_DELAY_MS at its highest, what waits is not due while the program runs. Prints the figures by which
 * the reader sees that the moment came. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/preload/life/life.h"

#define THREADS 12
#define STACK_BYTES (8 * MIB)
#define CLASSES_MAX 256
#define BLOCKS_MAX 4096

/* What a thread leaves in its magazines when it ends. */
#define LARGE_BYTES (96 * KIB)

static pthread_barrier_t barrier;

static unsigned class_count(void) {
    unsigned (*count)(void);
    *(void **)&count = dlsym(RTLD_DEFAULT, "hak_class_count");
    LIFE_CHECK(count != NULL && count() <= CLASSES_MAX);
    return count();
}

static struct hak_class_stats class_stats(unsigned class_index) {
    static bool (*get)(unsigned class_index, struct hak_class_stats *stats);
    struct hak_class_stats stats;
    *(void **)&get = dlsym(RTLD_DEFAULT, "hak_class_get_stats");
    LIFE_CHECK(get != NULL && get(class_index, &stats));
    return stats;
}

static void *wait_only(void *unused) { return unused; }

/* Block size of the class that starting a thread takes its table from. */
static size_t table_bytes(void) {
    static uint64_t before[CLASSES_MAX];
    const unsigned count = class_count();
    pthread_attr_t attributes;
    pthread_t thread;
    LIFE_CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0);
    for (unsigned i = 1; i < count; i++) {
        before[i] = class_stats(i).allocations;
    }
    LIFE_CHECK(pthread_create(&thread, &attributes, wait_only, NULL) == 0);
    LIFE_CHECK(pthread_join(thread, NULL) == 0);
    size_t bytes = 0;
    for (unsigned i = 1; i < count; i++) {
        const struct hak_class_stats after = class_stats(i);
        if (after.allocations != before[i]) {
            LIFE_CHECK(bytes == 0 && after.allocations == before[i] + 1);
            bytes = after.block_size;
        }
    }
    LIFE_CHECK(bytes != 0);
    return bytes;
}

/* ---- The next free takes the slow path ---- */

static void *blocks[BLOCKS_MAX];
static unsigned block_count;

/* One in so many blocks stays, so that no slab is emptied, whose memory would wait to be purged. */
#define KEPT_ONE_IN 32

/* Frees one block more; whether that exchanged. */
static bool free_exchanges(void) {
    const uint64_t before = life_stats().exchanges;
    LIFE_CHECK(block_count > 1);
    block_count -= block_count % KEPT_ONE_IN == 1;
    free(blocks[--block_count]);
    return life_stats().exchanges != before;
}

/* Exchanges come at a steady rate once the magazines are full: one period more, but for one block. */
static void free_up_to_the_next_exchange(size_t bytes) {
    for (block_count = 0; block_count < BLOCKS_MAX; block_count++) {
        LIFE_CHECK((blocks[block_count] = malloc(bytes)) != NULL);
    }
    block_count--; /* one of the last slab, too */
    unsigned period = 0, last = 0;
    for (unsigned same = 0, frees = 0; same < 3;) {
        if (++frees, free_exchanges()) {
            same = frees - last == period ? same + 1 : 0;
            period = frees - last;
            last = frees;
        }
    }
    LIFE_CHECK(period > 2);
    for (unsigned i = 0; i + 1 < period; i++) {
        LIFE_CHECK(!free_exchanges());
    }
}

/* ---- The moment ---- */

static void *leave_much(void *unused) {
    void *large[4];
    for (unsigned i = 0; i < 4; i++) {
        LIFE_CHECK((large[i] = malloc(LARGE_BYTES)) != NULL);
    }
    /* As many as its magazine takes, without an exchange. */
    for (unsigned i = 0; i < 4; i++) {
        free(large[i]);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

int main(void) {
    pthread_t threads[THREADS];
    life_begin();
    const size_t bytes = table_bytes();
    LIFE_CHECK(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
    pthread_attr_t attributes;
    LIFE_CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0);
    for (unsigned i = 0; i < THREADS; i++) {
        LIFE_CHECK(pthread_create(&threads[i], &attributes, leave_much, NULL) == 0);
    }
    pthread_barrier_wait(&barrier);
    free_up_to_the_next_exchange(bytes);
    const struct hak_stats before = life_stats();
    pthread_barrier_wait(&barrier);

    for (unsigned i = 0; i < THREADS; i++) {
        LIFE_CHECK(pthread_join(threads[i], NULL) == 0);
    }
    const struct hak_stats after = life_stats();
    life_print("{\"table_bytes\": %zu, \"decaying_before\": %lu, \"decaying\": %lu, \"purged\": %lu}", bytes,
               before.decaying_bytes, after.decaying_bytes, after.purged_bytes - before.purged_bytes);
    return 0;
}
