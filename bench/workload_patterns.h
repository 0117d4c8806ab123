/* The tiny patterns as inline loops: workload_tiny.c runs each alone, workload_mt.c runs them on every thread.
 *
 * `verify` is a constant at each use, so a timing run has no trace of the checks. Blocks are not written:
 * the allocator's own work is all that the clock sees. */
#ifndef BENCH_WORKLOAD_PATTERNS_H
#define BENCH_WORKLOAD_PATTERNS_H

#include "bench/contender.h"
#include "bench/workload.h"

#define TINY_SIZE_MIN 8
#define TINY_SIZE_MAX 64

/* 8, 16, .. 64, 8, ..: the sizes of `pair` and `batch`. */
HAK_ALWAYS_INLINE size_t pattern_cycled_size(uint64_t number) { return TINY_SIZE_MIN + (number * 8 & 56); }

/* A block of random size, 8 to 64, every byte size equally often. */
HAK_ALWAYS_INLINE size_t pattern_random_size(uint64_t random) {
    return TINY_SIZE_MIN + workload_below((uint32_t)(random >> 32), TINY_SIZE_MAX - TINY_SIZE_MIN + 1);
}

HAK_ALWAYS_INLINE void *pattern_alloc(struct workload_thread *thread, size_t size, struct verify_expect *expect,
                                      const bool verify) {
    void *p = bench_alloc(size);
    bench_escape(p);
    if (verify) {
        verify_mark(p, size, thread->number++, expect);
    }
    return p;
}

/* p may be NULL: every contender's free allows it. */
HAK_ALWAYS_INLINE void pattern_free(void *p, const struct verify_expect *expect, const bool verify) {
    if (verify && p != NULL) {
        verify_check(p, expect);
    }
    bench_free(p);
}

/* One block at a time: allocated and freed at once. */
HAK_ALWAYS_INLINE void pattern_pair(struct workload_thread *thread, uint64_t operations, const bool verify) {
    for (uint64_t i = 0; i < operations; i++) {
        void *p = pattern_alloc(thread, pattern_cycled_size(i), &thread->batch_expect[0], verify);
        pattern_free(p, &thread->batch_expect[0], verify);
    }
}

/* TINY_BATCH blocks allocated, then freed, the last one first. */
HAK_ALWAYS_INLINE void pattern_batch(struct workload_thread *thread, const bool verify) {
    for (unsigned i = 0; i < TINY_BATCH; i++) {
        thread->batch[i] = pattern_alloc(thread, pattern_cycled_size(i), &thread->batch_expect[i], verify);
    }
    for (unsigned i = TINY_BATCH; i-- > 0;) {
        pattern_free(thread->batch[i], &thread->batch_expect[i], verify);
    }
}

HAK_ALWAYS_INLINE void pattern_slots_clear(struct workload_thread *thread, unsigned slots) {
    for (unsigned slot = 0; slot < slots; slot++) {
        thread->block[slot] = NULL;
    }
}

/* Frees the block of a random slot and puts a new one of random size there. */
HAK_ALWAYS_INLINE void pattern_replace(struct workload_thread *thread, uint64_t operations, const bool verify) {
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        unsigned slot = (unsigned)random % TINY_SLOTS;
        pattern_free(thread->block[slot], &thread->expect[slot], verify);
        thread->block[slot] = pattern_alloc(thread, pattern_random_size(random), &thread->expect[slot], verify);
    }
}

/* The frees that the replacements still owe: as many as slots are filled. */
HAK_ALWAYS_INLINE void pattern_slots_free(struct workload_thread *thread, unsigned slots, const bool verify) {
    for (unsigned slot = 0; slot < slots; slot++) {
        pattern_free(thread->block[slot], &thread->expect[slot], verify);
    }
}

#endif
