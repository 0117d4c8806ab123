/* SPDX-License-Identifier: MIT */
/* The tiny patterns as inline loops: tiny.c runs each alone, local.c runs them on every thread; scenario.c uses the
 * slots as well.
 *
 * Blocks are bare: the allocator's own work is all that the clock sees. They are counted by loop, not by block. */
#ifndef BENCH_WORKER_WORKLOADS_TINY_H
#define BENCH_WORKER_WORKLOADS_TINY_H

#include "bench/worker/workloads/block.h"

#define TINY_SIZE_MIN 8
#define TINY_SIZE_MAX 64

/* 8, 16, .. 64, 8, ..: the sizes of `pair` and of the batches. */
HAK_ALWAYS_INLINE size_t tiny_cycled_size(uint64_t number) { return TINY_SIZE_MIN + (number * 8 & 56); }

/* A block of random size, 8 to 64, every byte size equally often. */
HAK_ALWAYS_INLINE size_t tiny_random_size(uint64_t random) {
    return TINY_SIZE_MIN + workload_below((uint32_t)(random >> 32), TINY_SIZE_MAX - TINY_SIZE_MIN + 1);
}

/* WORKLOAD_BATCH blocks allocated. */
HAK_ALWAYS_INLINE void tiny_batch_fill(struct workload_thread *thread, const enum workload_mode mode) {
    unsigned i;
    for (i = 0; i < WORKLOAD_BATCH; i++) {
        thread->batch[i] = block_bare(thread, tiny_cycled_size(i), &thread->batch_expect[i], mode);
    }
    thread->tally.allocated += i;
}

/* They are freed, the last one first. */
HAK_ALWAYS_INLINE void tiny_batch_free_lifo(struct workload_thread *thread, const enum workload_mode mode) {
    unsigned i;
    for (i = WORKLOAD_BATCH; i-- > 0;) {
        block_bare_free(thread, thread->batch[i], &thread->batch_expect[i], mode);
    }
    thread->tally.freed += WORKLOAD_BATCH - (i + 1);
}

/* From here on `slots` slots are empty; slots_free must follow on as many. */
HAK_ALWAYS_INLINE void slots_clear(struct workload_thread *thread, unsigned slots) {
    for (unsigned slot = 0; slot < slots; slot++) {
        thread->block[slot] = NULL;
    }
    thread->tally.freed -= slots; /* freeing NULL counts as a free in between */
}

/* Frees the block of a random slot and puts a new one of random size there. */
HAK_ALWAYS_INLINE void tiny_replace(struct workload_thread *thread, uint64_t operations,
                                    const enum workload_mode mode) {
    uint64_t i;
    for (i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        unsigned slot = (unsigned)random % WORKLOAD_SLOTS;
        block_bare_free(thread, thread->block[slot], &thread->expect[slot], mode);
        thread->block[slot] = block_bare(thread, tiny_random_size(random), &thread->expect[slot], mode);
    }
    thread->tally.allocated += i;
    thread->tally.freed += i;
}

/* The frees that the replacements still owe: as many as slots are filled. */
HAK_ALWAYS_INLINE void slots_free(struct workload_thread *thread, unsigned slots, const enum workload_mode mode) {
    unsigned slot;
    for (slot = 0; slot < slots; slot++) {
        block_bare_free(thread, thread->block[slot], &thread->expect[slot], mode);
    }
    thread->tally.freed += slot;
}

#endif
