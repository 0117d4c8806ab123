/* SPDX-License-Identifier: MIT */
/* Threads that begin and end: their blocks outlive them and are freed by others.
 *
 * Each of runner.c's threads starts one thread at a time, which works with its starter's data while the starter waits
 * for it to end: pthread_create and pthread_join order all that the two do. */
#include "bench/worker/fail.h"
#include "bench/worker/workloads/block.h"

#include <pthread.h>

/* Slots, sizes as the benchmark's authors call it: 8 to 1000 bytes in 1,000 slots. */
#define CHURN_UNIT 100
#define LARSON_SLOTS 1000
#define LARSON_SIZE_MIN 8
#define LARSON_SIZE_MAX 1000

/* Replacements that one thread makes before its successor takes the slots over. */
#define LARSON_GENERATION 20000

#define CHURN_SIZE_MIN 16
#define CHURN_SIZE_MAX 512

typedef void *life(void *thread);

/* Runs `work` in a thread of its own, to its end. */
static void live(life *work, struct workload_thread *thread) {
    pthread_t handle;
    int error = pthread_create(&handle, NULL, work, thread);
    worker_require(error != 0 ? error : pthread_join(handle, NULL), "a thread cannot be started");
}

HAK_ALWAYS_INLINE void *random_block(struct workload_thread *thread, unsigned slot, uint64_t random, uint32_t size_min,
                                     uint32_t size_max, const enum workload_mode mode) {
    size_t size = size_min + workload_below((uint32_t)(random >> 32), size_max - size_min + 1);
    return block_tagged(thread, size, (uint32_t)(random >> 32), &thread->expect[slot], mode);
}

static void larson_prepare(struct workload_thread *thread) {
    for (unsigned slot = 0; slot < LARSON_SLOTS; slot++) {
        thread->block[slot] = random_block(thread, slot, workload_random(thread), LARSON_SIZE_MIN, LARSON_SIZE_MAX,
                                           block_untimed_mode(thread));
    }
}

static void larson_finish(struct workload_thread *thread) {
    for (unsigned slot = 0; slot < LARSON_SLOTS; slot++) {
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], block_untimed_mode(thread));
    }
}

/* One thread's life: a random one of the blocks that it took over is replaced, so many times. */
HAK_ALWAYS_INLINE void larson_life(struct workload_thread *thread, const enum workload_mode mode) {
    for (uint64_t i = 0; i < thread->life_operations; i++) {
        uint64_t random = workload_random(thread);
        unsigned slot = workload_below((uint32_t)random, LARSON_SLOTS);
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
        thread->block[slot] = random_block(thread, slot, random, LARSON_SIZE_MIN, LARSON_SIZE_MAX, mode);
    }
}

/* One thread's life: it allocates a unit of blocks, frees every second one and leaves the others behind. */
HAK_ALWAYS_INLINE void churn_life(struct workload_thread *thread, const enum workload_mode mode) {
    for (unsigned slot = 0; slot < CHURN_UNIT; slot++) {
        thread->block[slot] = random_block(thread, slot, workload_random(thread), CHURN_SIZE_MIN, CHURN_SIZE_MAX, mode);
    }
    for (unsigned slot = 0; slot < CHURN_UNIT; slot += 2) {
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
    }
}

#define DEFINE_LIVES(name)                                                                       \
    static void *name##_plain(void *thread) { return name(thread, WORKLOAD_PLAIN), NULL; }       \
    static void *name##_verified(void *thread) { return name(thread, WORKLOAD_VERIFIED), NULL; } \
    static void *name##_memory(void *thread) { return name(thread, WORKLOAD_MEMORY), NULL; }     \
    static void *name##_latency(void *thread) { return name(thread, WORKLOAD_LATENCY), NULL; }   \
    static life *const name##_by_mode[WORKLOAD_MODES] = {                                        \
        [WORKLOAD_PLAIN] = name##_plain,                                                         \
        [WORKLOAD_VERIFIED] = name##_verified,                                                   \
        [WORKLOAD_MEMORY] = name##_memory,                                                       \
        [WORKLOAD_LATENCY] = name##_latency,                                                     \
    };

DEFINE_LIVES(larson_life)
DEFINE_LIVES(churn_life)

HAK_ALWAYS_INLINE void larson(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    for (uint64_t done = 0; done < operations; done += thread->life_operations) {
        uint64_t left = operations - done;
        thread->life_operations = left < LARSON_GENERATION ? left : LARSON_GENERATION;
        live(larson_life_by_mode[mode], thread);
    }
}

HAK_ALWAYS_INLINE void thread_churn(struct workload_thread *thread, uint64_t operations,
                                    const enum workload_mode mode) {
    for (uint64_t done = 0; done < operations; done += CHURN_UNIT) {
        live(churn_life_by_mode[mode], thread);
        for (unsigned slot = 1; slot < CHURN_UNIT; slot += 2) {
            block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
        }
    }
}

WORKLOAD_LOOP(larson, larson)

const struct workload larson_workload = {
    .name = "larson",
    .description =
        "8 to 1,000 bytes, a random one of a thread's 1,000 blocks replaced; after 20,000 a new thread "
        "takes them over",
    .source = "Larson and Krishnan, Memory Allocation for Long-Running Server Applications (ISMM 1998)",
    WORKLOAD_THREADS,
    .unit = 1,
    .exact = false,
    .default_operations = 3000000,
    .quick_operations = 30000,
    .prepare = larson_prepare,
    .finish = larson_finish,
    .run = WORKLOAD_RUN(larson),
};

WORKLOAD_LOOP(thread_churn, thread_churn)

const struct workload thread_churn_workload = {
    .name = "thread_churn",
    .description =
        "16 to 512 bytes; a new thread allocates 100 blocks, frees half and ends; its starter frees the "
        "rest",
    .source = "t-test1 (Wolfram Gloger, ptmalloc): threads end and new ones take their place",
    WORKLOAD_THREADS,
    .unit = CHURN_UNIT,
    .exact = false,
    .default_operations = 100000,
    .quick_operations = 2000,
    .run = WORKLOAD_RUN(thread_churn),
};
