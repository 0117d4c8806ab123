/* SPDX-License-Identifier: MIT */
/* A live set that stays under a bound, through phases that each use other sizes, by several threads.
 *
 *     phases LIVE_MIB VOLUME_MIB ROUNDS
 *
 * In each phase the threads fill LIVE_MIB together, replace blocks at random until VOLUME_MIB were allocated, and free
 * everything; the next phase begins at once. Blocks are written to from end to end. Each thread frees blocks of the
 * others, too. Prints the bytes allocated, and the most that were live at once. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/preload/life/life.h"

#define THREADS 3
#define SLOTS_MAX 262144
#define LIVE_MIB_OF_SLOTS 40

static const struct {
    size_t least, most; /* sizes of the phase */
    unsigned slots;     /* about twice the blocks that a live set of LIVE_MIB_OF_SLOTS has */
} phases[] = {
    {100, 1024, 262144}, {1100000, 4000000, 64}, {1025, 32768, 16384}, {32769, 1048576, 512}, {100, 2000000, 512},
};
#define PHASES (sizeof phases / sizeof phases[0])

static void *slots[SLOTS_MAX]; /* atomic: every thread puts and takes */
static size_t live_bytes_limit;
static uint64_t volume_bytes;
static pthread_barrier_t barrier;
static uint64_t allocated_bytes;             /* atomic */
static uint64_t live_bytes, live_bytes_most; /* atomic */

static void note(int64_t bytes) {
    /* Relaxed: figures for the reader. */
    const uint64_t now = __atomic_add_fetch(&live_bytes, (uint64_t)bytes, __ATOMIC_RELAXED);
    uint64_t most = __atomic_load_n(&live_bytes_most, __ATOMIC_RELAXED);
    while (now > most &&
           !__atomic_compare_exchange_n(&live_bytes_most, &most, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void *written_block(size_t size) {
    size_t *block = malloc(size);
    LIFE_CHECK(block != NULL);
    memset(block, 0x5a, size);
    *block = size;
    note((int64_t)size);
    return block;
}

static void free_written(void *block) {
    if (block != NULL) {
        const size_t size = *(size_t *)block;
        LIFE_CHECK(((unsigned char *)block)[size - 1] == 0x5a);
        note(-(int64_t)size);
        free(block);
    }
}

/* Sizes of a phase are spread evenly over its doublings, as those of programs are. */
static size_t size_in(size_t least, size_t most, uint64_t *random) {
    unsigned doublings = 0;
    while (most >> (doublings + 1) >= least) {
        doublings++;
    }
    const size_t low = least << life_random(random) % (doublings + 1);
    const size_t size = low + life_random(random) % low;
    return size > most ? most : size;
}

/* A larger live set has more blocks, or the slots would bound it. */
static unsigned slots_of(unsigned phase) {
    const size_t wanted = phases[phase].slots * (live_bytes_limit / MIB) / LIVE_MIB_OF_SLOTS;
    return wanted < SLOTS_MAX ? (unsigned)wanted : SLOTS_MAX;
}

static void run_phase(unsigned phase, uint64_t *random) {
    const size_t least = phases[phase].least, most = phases[phase].most;
    const unsigned count = slots_of(phase);
    uint64_t bytes = 0;
    while (bytes < volume_bytes / THREADS) {
        const size_t size = size_in(least, most, random);
        /* Relaxed, here and below: a figure; each of the threads leaves room for a block of the others. */
        if (__atomic_load_n(&live_bytes, __ATOMIC_RELAXED) + size * THREADS <= live_bytes_limit) {
            bytes += size;
            void *block = written_block(size);
            /* Acquire-release: the block that comes out was written by another thread. */
            free_written(__atomic_exchange_n(&slots[life_random(random) % count], block, __ATOMIC_ACQ_REL));
        } else {
            free_written(__atomic_exchange_n(&slots[life_random(random) % count], NULL, __ATOMIC_ACQ_REL));
        }
    }
    __atomic_add_fetch(&allocated_bytes, bytes, __ATOMIC_RELAXED);
}

static void *run(void *argument) {
    const unsigned index = (unsigned)(uintptr_t)argument;
    uint64_t random = index + 1;
    for (unsigned phase = 0; phase < PHASES; phase++) {
        run_phase(phase, &random);
        pthread_barrier_wait(&barrier);
        for (unsigned i = index; i < SLOTS_MAX; i += THREADS) {
            free_written(__atomic_exchange_n(&slots[i], NULL, __ATOMIC_ACQ_REL));
        }
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

int main(int argc, char **argv) {
    LIFE_CHECK(argc == 4);
    live_bytes_limit = strtoull(argv[1], NULL, 10) * MIB;
    volume_bytes = strtoull(argv[2], NULL, 10) * MIB;
    const unsigned rounds = (unsigned)strtoul(argv[3], NULL, 10);
    LIFE_CHECK(live_bytes_limit >= 16 * MIB && volume_bytes > live_bytes_limit && rounds > 0);
    life_begin();
    LIFE_CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    for (unsigned round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        for (unsigned i = 0; i < THREADS; i++) {
            LIFE_CHECK(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i) == 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            LIFE_CHECK(pthread_join(threads[i], NULL) == 0);
        }
    }
    LIFE_CHECK(live_bytes == 0);
    life_print("{\"allocated\": %lu, \"live_most\": %lu}", allocated_bytes, live_bytes_most);
    return 0;
}
