/* SPDX-License-Identifier: MIT */
/* A program that allocates much of all sizes, frees all and then does nothing: what does it keep?
 *
 *     rest THREADS MIB LIMIT_MIB SECONDS
 *
 * Each thread fills its share with blocks from 16 bytes to 8 MiB, a quarter of the bytes in each of four ranges of sizes,
 * and frees, in random order, what the thread before it has allocated. Then all threads wait. Prints resident bytes before,
 * at the most, and when they have come down to the limit or the time is up; and how long that took. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/preload/life/life.h"

#define THREADS_MAX 8
#define BLOCKS_MAX (1u << 20)
#define STEP_NS 10000000

/* Ranges of sizes: from each upper end to the next. */
static const size_t range_ends[] = {16, KIB, 32 * KIB, MIB, 8 * MIB};
#define RANGES (sizeof range_ends / sizeof *range_ends - 1)

struct share {
    void **blocks;
    size_t count;
    unsigned index;
};

static void *blocks[BLOCKS_MAX]; /* each thread's part its own; resident before the start */
static struct share shares[THREADS_MAX];
static unsigned thread_count;
static size_t share_bytes;
static pthread_barrier_t barrier;

static void fill(struct share *share, uint64_t *random) {
    for (size_t range = 0; range < RANGES; range++) {
        const size_t low = range_ends[range], high = range_ends[range + 1];
        for (size_t bytes = 0; bytes < share_bytes / RANGES;) {
            const size_t size = low + life_random(random) % (high - low);
            char *block = malloc(size);
            LIFE_CHECK(block != NULL && share->count < BLOCKS_MAX / thread_count);
            memset(block, 1, size);
            share->blocks[share->count++] = block;
            bytes += size;
        }
    }
}

static void free_in_random_order(struct share *share, uint64_t *random) {
    for (size_t left = share->count; left > 0; left--) {
        const size_t next = life_random(random) % left;
        free(share->blocks[next]);
        share->blocks[next] = share->blocks[left - 1];
    }
}

/* Twice at the barrier with all blocks live, and with none: main looks between the two. */
static void *live(void *argument) {
    struct share *share = argument;
    uint64_t random = share->index * UINT64_C(0x9e3779b97f4a7c15) + 1;
    fill(share, &random);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    free_in_random_order(&shares[(share->index + 1) % thread_count], &random);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS_MAX];
    LIFE_CHECK(argc == 5);
    thread_count = (unsigned)strtoul(argv[1], NULL, 10);
    LIFE_CHECK(thread_count >= 1 && thread_count <= THREADS_MAX);
    share_bytes = strtoull(argv[2], NULL, 10) * MIB / thread_count;
    const uint64_t limit = strtoull(argv[3], NULL, 10) * MIB;
    const uint64_t wait_ns = strtoull(argv[4], NULL, 10) * UINT64_C(1000000000);
    life_begin();
    life_touch_code();
    memset(blocks, 1, sizeof blocks);
    LIFE_CHECK(pthread_barrier_init(&barrier, NULL, thread_count + 1) == 0);
    const uint64_t before = life_resident_bytes();
    for (unsigned i = 0; i < thread_count; i++) {
        shares[i] = (struct share){.blocks = blocks + i * (BLOCKS_MAX / thread_count), .index = i};
        LIFE_CHECK(pthread_create(&threads[i], NULL, live, &shares[i]) == 0);
    }
    pthread_barrier_wait(&barrier);
    const uint64_t most = life_resident_bytes();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    const uint64_t start = now_ns();
    uint64_t resident = life_resident_bytes();
    while (resident > before + limit && now_ns() - start < wait_ns) {
        const struct timespec step = {.tv_nsec = STEP_NS};
        nanosleep(&step, NULL);
        resident = life_resident_bytes();
    }
    life_print("{\"before\": %lu, \"most\": %lu, \"rest\": %lu, \"ms\": %lu}", before, most, resident,
               (now_ns() - start) / 1000000);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < thread_count; i++) {
        LIFE_CHECK(pthread_join(threads[i], NULL) == 0);
    }
    return 0;
}
