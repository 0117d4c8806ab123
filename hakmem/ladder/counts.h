/* SPDX-License-Identifier: MIT */
/* How allocations are counted without switch P1: each one runs a random generator, and one in 16 adds to a counter of
 * its class that all threads share. And with the experiment `counts=N`, which is P1 as the strategy document has it: each
 * adds to a counter of its thread and class, and every N-th adds N to the shared one. In the product nothing is counted
 * here; exchanges count exactly (magazine/exchange.h).
 *
 * Called by the pools for each allocation, by threads when they begin and end, and by the reader of the statistics. */
#ifndef HAKMEM_LADDER_COUNTS_H
#define HAKMEM_LADDER_COUNTS_H

#include "codegen/hak_classes.h"
#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/random.h"
#include "hakmem/flags/flags.h"

/* One allocation in this many is counted, a power of two; source: the published strategy note. */
#define LADDER_SAMPLE_PERIOD 16

extern HAK_THREAD_LOCAL uint64_t hak_ladder_random; /* the thread's generator; never 0 */
/* Atomic: relaxed additions by all threads. Samples of the class; with `counts=N` allocations. */
extern uint64_t hak_ladder_counted[HAK_CLASS_COUNT];
/* The calling thread's: allocations of the class that are not added yet. */
extern HAK_THREAD_LOCAL uint32_t hak_ladder_pending[];

/* Whether exchanges count every allocation and free. Always true in the product. */
HAK_ALWAYS_INLINE bool ladder_counts_exactly(void) { return HAK_P1_BATCHED_STATS && HAK_COUNTS_EVERY == 0; }

/* Adds what the calling thread has pending of the class. Not marked as cold: gcc 12 would then take malloc's whole fast path
 * for cold. */
HAK_NOINLINE void hak_ladder_add_pending(unsigned class_index);

/* Counts p, which was just allocated, if the generator picks it or it is the N-th; NULL is no allocation. Nothing in the
 * product. */
HAK_ALWAYS_INLINE void ladder_count_allocation(const void *p, unsigned class_index) {
    if (!HAK_P1_BATCHED_STATS && HAK_LIKELY(p != NULL)) {
        if (HAK_UNLIKELY(random_xorshift64(&hak_ladder_random) % LADDER_SAMPLE_PERIOD == 0)) {
            /* Relaxed: a count orders nothing. */
            hak_fetch_add_relaxed(&hak_ladder_counted[class_index], (uint64_t)1);
        }
    }
    if (HAK_P1_BATCHED_STATS && HAK_COUNTS_EVERY != 0 && HAK_LIKELY(p != NULL)) {
        const uint32_t every = (uint32_t)HAK_COUNTS_EVERY;
        if (HAK_UNLIKELY(++hak_ladder_pending[class_index] >= every)) {
            hak_ladder_add_pending(class_index);
        }
    }
}

/* Adds what a thread that ends has pending. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_end_counting(void) {
    for (unsigned class_index = 1; HAK_COUNTS_EVERY != 0 && class_index < HAK_CLASS_COUNT; class_index++) {
        hak_ladder_add_pending(class_index);
    }
}

/* Gives the calling thread other random numbers than the other threads have. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_begin_sampling(uint32_t thread_number) {
    if (!HAK_P1_BATCHED_STATS) {
        hak_ladder_random += (uint64_t)thread_number << 32; /* never 0: the low half of the constant is not */
    }
}

/* Replaces a class's counts by what was added to the shared counter. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_estimate(unsigned class_index, uint64_t live, uint64_t *allocations, uint64_t *frees) {
    if (!ladder_counts_exactly()) {
        /* Relaxed: a snapshot. An estimate below what is alive would make the frees negative. */
        const uint64_t each = HAK_P1_BATCHED_STATS ? 1 : LADDER_SAMPLE_PERIOD;
        const uint64_t counted = each * hak_load_relaxed(&hak_ladder_counted[class_index]);
        *allocations = counted > live ? counted : live;
        *frees = *allocations - live;
    }
}

/* Clears a thread's counts where they are not known: the counter is of all threads together. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_hide_thread_counts(uint64_t *allocations, uint64_t *frees) {
    if (!ladder_counts_exactly()) {
        *allocations = 0;
        *frees = 0;
    }
}

#endif
