/* SPDX-License-Identifier: MIT */
/* Blocks of random sizes to 16,000 bytes: each thread replaces some of its own, and hands others to the next thread. Run by
 * runner.c on every thread; all but the rings is the thread's own.
 *
 * A thread that waits for a full ring frees what it was handed itself, so no ring of full rings can stand still. */
#include "bench/worker/workloads/handed.h"

#include <sched.h>

/* Slots, sizes as mimalloc-bench calls the benchmark. A unit: so many replacements, and so many blocks handed over. */
#define PASSING_SLOTS 1000
#define PASSING_SIZE_MIN 8
#define PASSING_SIZE_MAX 16000
#define PASSING_REPLACED 100
#define PASSING_HANDED 100
#define PASSING_UNIT (PASSING_REPLACED + PASSING_HANDED)
HAK_STATIC_ASSERT(PASSING_SLOTS <= WORKLOAD_SLOTS, "each block has a slot");

HAK_ALWAYS_INLINE void *passing_block(struct workload_thread *thread, struct verify_expect *expect,
                                      const enum workload_mode mode) {
    uint64_t random = workload_random(thread);
    size_t size = PASSING_SIZE_MIN + workload_below((uint32_t)random, PASSING_SIZE_MAX - PASSING_SIZE_MIN + 1);
    return block_tagged(thread, size, (uint32_t)(random >> 32), expect, mode);
}

static void passing_prepare(struct workload_thread *thread) {
    handover_open(thread->outgoing);
    for (unsigned slot = 0; slot < PASSING_SLOTS; slot++) {
        thread->block[slot] = passing_block(thread, &thread->expect[slot], block_untimed_mode(thread));
    }
}

static void passing_finish(struct workload_thread *thread) {
    for (unsigned slot = 0; slot < PASSING_SLOTS; slot++) {
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], block_untimed_mode(thread));
    }
}

HAK_ALWAYS_INLINE void passing_replace(struct workload_thread *thread, const enum workload_mode mode) {
    unsigned slot = workload_below((uint32_t)(workload_random(thread) >> 32), PASSING_SLOTS);
    block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
    thread->block[slot] = passing_block(thread, &thread->expect[slot], mode);
}

HAK_ALWAYS_INLINE void passing_hand_over(struct workload_thread *thread, const enum workload_mode mode) {
    struct handover_ring *ring = thread->outgoing;
    int slot;
    while ((slot = handover_slot(ring)) < 0) {
        if (receive_blocks(thread, thread->incoming, HANDOVER_CAPACITY, mode) == 0) {
            sched_yield();
        }
    }
    ring->block[slot] = passing_block(thread, &ring->expect[slot], mode);
    handover_push(ring);
}

/* Until the thread before has handed over its last block. */
HAK_ALWAYS_INLINE void passing_receive_rest(struct workload_thread *thread, const enum workload_mode mode) {
    for (;;) {
        bool last = handover_closed(thread->incoming);
        uint64_t received = receive_blocks(thread, thread->incoming, HANDOVER_CAPACITY, mode);
        if (last) {
            return;
        }
        if (received == 0) {
            sched_yield();
        }
    }
}

HAK_ALWAYS_INLINE void passing(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    for (uint64_t done = 0; done < operations; done += PASSING_UNIT) {
        for (unsigned i = 0; i < PASSING_REPLACED; i++) {
            passing_replace(thread, mode);
        }
        for (unsigned i = 0; i < PASSING_HANDED; i++) {
            passing_hand_over(thread, mode);
        }
        receive_blocks(thread, thread->incoming, HANDOVER_CAPACITY, mode);
    }
    handover_close(thread->outgoing);
    passing_receive_rest(thread, mode);
}

WORKLOAD_LOOP(passing, passing)

const struct workload passing_workload = {
    .name = "passing",
    .description =
        "8 to 16,000 bytes; half of the blocks replace others of the thread's 1,000, half go to the next thread",
    .source =
        "rpmalloc-benchmark (Mattias Jansson), as mimalloc-bench calls it: random sizes from 8 to 16,000, some of "
        "which go to other threads",
    WORKLOAD_THREADS,
    .unit = PASSING_UNIT,
    .exact = false,
    .default_operations = 600000,
    .quick_operations = 6000,
    .prepare = passing_prepare,
    .finish = passing_finish,
    .run = WORKLOAD_RUN(passing),
};
