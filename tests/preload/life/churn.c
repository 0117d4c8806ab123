/* SPDX-License-Identifier: MIT */
/* A hundred thousand short threads. Each takes blocks of all pools, gives most back, and leaves some small ones in a
 * table, from which later threads and main take them; of each thousandth thread one block stays for good.
 *
 *     churn THREADS
 *
 * Prints a line at each checkpoint, twice: while the last threads before it wait, with all their magazines, and after
 * they ended and all unused memory was given back. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/preload/life/life.h"

#define AT_ONCE 8
#define STACK_BYTES (64 * KIB)
#define STACK_TOUCHED_BYTES (48 * KIB)
#define TABLE_SLOTS 4096
#define LEFT_A_THREAD 4
#define KEEPER_PERIOD 1000

/* Sizes up to 1,024, and those above the small pools. */
#define SMALL_SIZES 10
#define MEDIUM_SIZES 16

static void *table[TABLE_SLOTS]; /* atomic: blocks of threads that have ended, mostly */
static uint64_t kept_blocks;     /* atomic: blocks that nobody will free */
static pthread_barrier_t barrier;
static pthread_attr_t attributes;

struct job {
    uint64_t number;
    bool waits; /* on the barrier, twice, before its end */
};

static void leave(uint64_t *random, bool for_good) {
    void *block = life_block_new(life_sizes[life_random(random) % SMALL_SIZES]);
    LIFE_CHECK(block != NULL);
    if (for_good) {
        /* Relaxed: read after the thread was joined. */
        __atomic_fetch_add(&kept_blocks, 1, __ATOMIC_RELAXED);
        return;
    }
    /* Acquire-release: the block that comes out was written by another thread. */
    life_block_free(__atomic_exchange_n(&table[life_random(random) % TABLE_SLOTS], block, __ATOMIC_ACQ_REL));
}

static void *live(void *argument) {
    const struct job job = *(struct job *)argument;
    uint64_t random = job.number * UINT64_C(0x9e3779b97f4a7c15) + 1;
    void *blocks[12];
    unsigned count = 0;
    for (unsigned i = 0; i < 6; i++) {
        blocks[count++] = life_block_new(life_sizes[life_random(&random) % SMALL_SIZES]);
    }
    for (unsigned i = 0; i < 2; i++) {
        blocks[count++] = life_block_new(life_sizes[life_random(&random) % MEDIUM_SIZES]);
    }
    blocks[count++] = life_block_new(life_sizes[MEDIUM_SIZES + job.number % (life_size_count - MEDIUM_SIZES)]);
    for (unsigned i = 0; i < LEFT_A_THREAD; i++) {
        leave(&random, i == 0 && job.number % KEEPER_PERIOD == 0);
    }
    for (unsigned i = 0; i < count; i++) {
        LIFE_CHECK(blocks[i] != NULL);
        life_block_free(blocks[i]);
    }
    if (job.waits) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void *touch_stack(void *unused) {
    volatile char stack[STACK_TOUCHED_BYTES];
    for (size_t at = 0; at < sizeof stack; at += KIB) {
        stack[at] = 1;
    }
    pthread_barrier_wait(&barrier);
    return unused;
}

static void start(pthread_t *thread, void *(*main)(void *), void *argument) {
    LIFE_CHECK(pthread_create(thread, &attributes, main, argument) == 0);
}

static void join(pthread_t thread) { LIFE_CHECK(pthread_join(thread, NULL) == 0); }

static uint64_t table_blocks(void) {
    uint64_t count = 0;
    for (unsigned i = 0; i < TABLE_SLOTS; i++) {
        count += table[i] != NULL;
    }
    return count;
}

static void report(const char *when, uint64_t threads) {
    const uint64_t resident = life_resident_bytes();
    const struct hak_stats stats = life_stats();
    life_print(
        "{\"when\": \"%s\", \"threads\": %lu, \"resident\": %lu, \"bound\": %lu, \"live\": %lu, "
        "\"live_blocks\": %lu, \"left_blocks\": %lu, \"metadata\": %lu, \"magazines\": %lu, "
        "\"slab_free\": %lu, \"decaying\": %lu, \"remote_frees\": %lu}",
        when, threads, resident, life_bound_bytes(&stats), life_live_bytes(&stats), life_live_blocks(&stats),
        table_blocks() + kept_blocks, stats.metadata_bytes, stats.magazine_bytes, stats.slab_free_bytes,
        stats.decaying_bytes, stats.remote_frees);
}

/* `count` threads, AT_ONCE at a time; the last of them wait while the first report is written. */
static void run(uint64_t first, uint64_t count) {
    static struct job jobs[AT_ONCE];
    pthread_t threads[AT_ONCE];
    uint64_t random = first + 1;
    for (uint64_t i = 0; i < count; i++) {
        const unsigned place = i % AT_ONCE;
        if (i >= AT_ONCE) {
            join(threads[place]);
        }
        jobs[place] = (struct job){.number = first + i, .waits = i >= count - AT_ONCE};
        start(&threads[place], live, &jobs[place]);
        if (i % 16 == 0) {
            /* Acquire: as in leave. */
            void **slot = &table[life_random(&random) % TABLE_SLOTS];
            life_block_free(__atomic_exchange_n(slot, NULL, __ATOMIC_ACQUIRE));
        }
    }
    pthread_barrier_wait(&barrier);
    report("waiting", first + count);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        join(threads[i]);
    }
}

int main(int argc, char **argv) {
    const uint64_t threads = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    LIFE_CHECK(threads >= 1000 && threads % 1000 == 0);
    life_begin();
    LIFE_CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0);
    LIFE_CHECK(pthread_barrier_init(&barrier, NULL, AT_ONCE + 1) == 0);

    pthread_t warm[AT_ONCE];
    for (unsigned i = 0; i < AT_ONCE; i++) {
        start(&warm[i], touch_stack, NULL);
    }
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        join(warm[i]);
    }
    life_touch_code();
    for (unsigned i = 0; i < TABLE_SLOTS; i++) {
        *(void *volatile *)&table[i] = NULL;
    }
    report("before", 0);

    const uint64_t parts[] = {10, 10, 30, 50}; /* in hundredths: checkpoints at 10, 20, 50 and 100 */
    uint64_t done = 0;
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        run(done, threads * parts[i] / 100);
        done += threads * parts[i] / 100;
        report("ended", done);
        malloc_trim(0);
        report("trimmed", done);
    }
    for (unsigned i = 0; i < TABLE_SLOTS; i++) {
        life_block_free(table[i]);
        table[i] = NULL;
    }
    malloc_trim(0);
    report("freed", done);
    return 0;
}
