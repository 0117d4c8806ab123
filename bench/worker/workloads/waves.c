/* SPDX-License-Identifier: MIT */
/* Threads that become more and fewer: one, two, four and two of them at a time share a table of blocks, so that each wave
 * frees what threads allocated that have ended.
 *
 * Each of runner.c's threads starts waves of its own and waits for them to end: pthread_create and pthread_join order all
 * that a wave does with what comes before and after. Within a wave each thread has a part of the starter's slots, and
 * counts, random numbers and histograms of its own, which the starter adds to its own when the wave has ended. */
#include "bench/worker/fail.h"
#include "bench/worker/workloads/block.h"

#include <pthread.h>

#define WAVE_SLOTS 1000
#define WAVE_PASSES 8 /* over its slots that a thread of a wave makes */
#define WAVE_UNIT (WAVE_SLOTS * WAVE_PASSES)
#define WAVE_SIZE_MIN 16
#define WAVE_SIZE_MAX 1000
#define LIVES_MAX 4
HAK_STATIC_ASSERT(WAVE_SLOTS % LIVES_MAX == 0, "the slots can be shared");

/* Threads of the waves, one after another. */
static const unsigned lives_of_wave[] = {1, 2, 4, 2};
#define WAVES (sizeof lives_of_wave / sizeof lives_of_wave[0])

/* A thread of a wave. Its own while it runs, its starter's before and after. */
struct wave_life {
    struct workload_thread self; /* random, tally, number, latency and mode; its blocks are the starter's */
    struct workload_thread *starter;
    unsigned from, to; /* the starter's slots that are this thread's */
    struct latency_pair latency;
};

static struct wave_life lives[WORKLOAD_THREADS_MAX][LIVES_MAX]; /* by the starter's index */

HAK_ALWAYS_INLINE void *wave_block(struct workload_thread *thread, struct verify_expect *expect,
                                   const enum workload_mode mode) {
    uint64_t random = workload_random(thread);
    size_t size = WAVE_SIZE_MIN + workload_below((uint32_t)random, WAVE_SIZE_MAX - WAVE_SIZE_MIN + 1);
    return block_tagged(thread, size, (uint32_t)(random >> 32), expect, mode);
}

static void waves_prepare(struct workload_thread *thread) {
    for (unsigned slot = 0; slot < WAVE_SLOTS; slot++) {
        thread->block[slot] = wave_block(thread, &thread->expect[slot], block_untimed_mode(thread));
    }
}

static void waves_finish(struct workload_thread *thread) {
    for (unsigned slot = 0; slot < WAVE_SLOTS; slot++) {
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], block_untimed_mode(thread));
    }
}

HAK_ALWAYS_INLINE void wave_live(struct wave_life *life, const enum workload_mode mode) {
    struct workload_thread *self = &life->self, *starter = life->starter;
    for (unsigned pass = 0; pass < WAVE_PASSES; pass++) {
        for (unsigned slot = life->from; slot < life->to; slot++) {
            block_tagged_free(self, starter->block[slot], &starter->expect[slot], mode);
            starter->block[slot] = wave_block(self, &starter->expect[slot], mode);
        }
    }
}

static void *wave_plain(void *life) { return wave_live(life, WORKLOAD_PLAIN), NULL; }
static void *wave_verified(void *life) { return wave_live(life, WORKLOAD_VERIFIED), NULL; }
static void *wave_memory(void *life) { return wave_live(life, WORKLOAD_MEMORY), NULL; }
static void *wave_latency(void *life) { return wave_live(life, WORKLOAD_LATENCY), NULL; }

static void *(*const wave_by_mode[WORKLOAD_MODES])(void *life) = {
    [WORKLOAD_PLAIN] = wave_plain,
    [WORKLOAD_VERIFIED] = wave_verified,
    [WORKLOAD_MEMORY] = wave_memory,
    [WORKLOAD_LATENCY] = wave_latency,
};

static void wave_begin(struct wave_life *life, struct workload_thread *starter, const enum workload_mode mode) {
    life->starter = starter;
    life->self.random = workload_random(starter);
    life->self.tally = (struct workload_tally){0};
    life->self.latency = &life->latency;
    life->self.mode = mode;
    if (mode == WORKLOAD_LATENCY) {
        latency_clear(&life->latency);
    }
}

/* pre: the life's thread has ended. */
static void wave_add(struct workload_thread *starter, const struct wave_life *life, const enum workload_mode mode) {
    workload_tally_add(&starter->tally, &life->self.tally);
    if (mode == WORKLOAD_LATENCY) {
        latency_merge(&starter->latency->alloc, &life->latency.alloc);
        latency_merge(&starter->latency->free, &life->latency.free);
    }
}

static void wave(struct workload_thread *thread, unsigned count, const enum workload_mode mode) {
    pthread_t handles[LIVES_MAX];
    struct wave_life *life = lives[thread->index];
    for (unsigned i = 0; i < count; i++) {
        wave_begin(&life[i], thread, mode);
        life[i].from = i * (WAVE_SLOTS / count);
        life[i].to = (i + 1) * (WAVE_SLOTS / count);
        worker_require(pthread_create(&handles[i], NULL, wave_by_mode[mode], &life[i]), "a thread cannot be started");
    }
    for (unsigned i = 0; i < count; i++) {
        worker_require(pthread_join(handles[i], NULL), "a thread cannot be joined");
        wave_add(thread, &life[i], mode);
    }
}

HAK_ALWAYS_INLINE void waves(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    unsigned number = 0;
    for (uint64_t done = 0; done < operations; done += WAVE_UNIT) {
        wave(thread, lives_of_wave[number++ % WAVES], mode);
    }
}

WORKLOAD_LOOP(waves, waves)

const struct workload waves_workload = {
    .name = "waves",
    .description =
        "16 to 1,000 bytes; one, two, four and two new threads at a time share 1,000 blocks, which those before them "
        "left",
    .source = "sh8bench (MicroQuill, SmartHeap): threads come and go, and blocks pass from one to another",
    WORKLOAD_THREADS,
    .unit = WAVE_UNIT,
    .exact = false,
    .default_operations = 200 * WAVE_UNIT,
    .quick_operations = 4 * WAVE_UNIT,
    .prepare = waves_prepare,
    .finish = waves_finish,
    .run = WORKLOAD_RUN(waves),
};
