/* SPDX-License-Identifier: MIT */
/* Small blocks that each thread writes again and again: slow where an allocator puts blocks of several threads into one
 * line of the cache.
 *
 *   active    threads allocate for themselves: the allocator must not split a line between them
 *   passive   blocks of one line, all allocated by the main thread, are given to the threads, which free them and
 *             allocate: the allocator must not give the same line back to all of them
 *
 * Run by runner.c on every thread. */
#include "bench/worker/workloads/block.h"

#define SHARED_SIZE 8
#define WRITES 100

/* passive: written by thread 0 in `prepare`, taken by each thread after the barrier. */
static void *given[WORKLOAD_THREADS_MAX];
static struct verify_expect given_expect[WORKLOAD_THREADS_MAX];

/* Adds 1 to the block's word, WRITES times, each a load and a store. Leaves what was there: marks and tags stay. */
HAK_ALWAYS_INLINE void write_often(struct workload_thread *thread, void *p) {
    volatile uint64_t *word = p;
    uint64_t before = *word;
    for (unsigned i = 0; i < WRITES; i++) {
        *word = *word + 1;
    }
    thread->tally.wrong |= *word ^ (before + WRITES);
    *word = before;
}

HAK_ALWAYS_INLINE void *shared_line_block(struct workload_thread *thread, struct verify_expect *expect,
                                          const enum workload_mode mode) {
    uint32_t tag = (uint32_t)(workload_random(thread) >> 32);
    return block_tagged(thread, SHARED_SIZE, tag, expect, mode);
}

HAK_ALWAYS_INLINE void false_sharing_active(struct workload_thread *thread, uint64_t operations,
                                            const enum workload_mode mode) {
    for (uint64_t i = 0; i < operations; i++) {
        void *p = shared_line_block(thread, &thread->expect[0], mode);
        write_often(thread, p);
        block_tagged_free(thread, p, &thread->expect[0], mode);
    }
}

static void false_sharing_passive_prepare(struct workload_thread *thread) {
    for (unsigned i = 0; thread->index == 0 && i < thread->threads; i++) {
        given[i] = shared_line_block(thread, &given_expect[i], block_untimed_mode(thread));
    }
}

/* Each thread begins with the block that it was given: it frees a block, allocates the next one and writes it. */
HAK_ALWAYS_INLINE void false_sharing_passive(struct workload_thread *thread, uint64_t operations,
                                             const enum workload_mode mode) {
    void *p = given[thread->index];
    thread->expect[0] = given_expect[thread->index];
    for (uint64_t i = 0; i < operations; i++) {
        block_tagged_free(thread, p, &thread->expect[0], mode);
        p = shared_line_block(thread, &thread->expect[0], mode);
        write_often(thread, p);
    }
    thread->block[0] = p;
}

static void false_sharing_passive_finish(struct workload_thread *thread) {
    block_tagged_free(thread, thread->block[0], &thread->expect[0], block_untimed_mode(thread));
}

WORKLOAD_LOOP(false_sharing_active, false_sharing_active)

const struct workload false_sharing_active_workload = {
    .name = "false_sharing_active",
    .description = "8 bytes, allocated, written 100 times and freed, on every thread",
    .source = "cache-thrash (Emery Berger, Hoard, 2000)",
    WORKLOAD_THREADS,
    .unit = 1,
    .exact = true,
    .default_operations = 1000000,
    .quick_operations = 5000,
    .run = WORKLOAD_RUN(false_sharing_active),
};

WORKLOAD_LOOP(false_sharing_passive, false_sharing_passive)

const struct workload false_sharing_passive_workload = {
    .name = "false_sharing_passive",
    .description = "the same, and each thread begins with freeing a block that thread 0 allocated beside the others'",
    .source = "cache-scratch (Emery Berger, Hoard, 2000)",
    WORKLOAD_THREADS,
    .unit = 1,
    .exact = true,
    .default_operations = 1000000,
    .quick_operations = 5000,
    .prepare = false_sharing_passive_prepare,
    .finish = false_sharing_passive_finish,
    .run = WORKLOAD_RUN(false_sharing_passive),
};
