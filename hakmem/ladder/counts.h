/* SPDX-License-Identifier: MIT */
/* How allocations are counted without switch P1: each one runs a random generator, and one in 16 adds to a counter of
 * its class that all threads share. In the product nothing is counted here; exchanges count exactly
 * (magazine/exchange.h).
 *
 * Called by the pools for each allocation, by threads when they begin, and by the reader of the statistics. */
#ifndef HAKMEM_LADDER_COUNTS_H
#define HAKMEM_LADDER_COUNTS_H

#include "codegen/hak_classes.h"
#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/random.h"
#include "hakmem/flags/flags.h"

/* One allocation in this many is counted, a power of two; source: the published strategy note. */
#define LADDER_SAMPLE_PERIOD 16

extern HAK_THREAD_LOCAL uint64_t hak_ladder_random;  /* the thread's generator; never 0 */
extern uint64_t hak_ladder_samples[HAK_CLASS_COUNT]; /* atomic: relaxed additions by all threads */

/* Whether exchanges count every allocation and free. Always true in the product. */
HAK_ALWAYS_INLINE bool ladder_counts_exactly(void) { return HAK_P1_BATCHED_STATS; }

/* Counts p, which was just allocated, if the generator picks it; NULL is no allocation. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_count_allocation(const void *p, unsigned class_index) {
    if (!HAK_P1_BATCHED_STATS && HAK_LIKELY(p != NULL)) {
        if (HAK_UNLIKELY(random_xorshift64(&hak_ladder_random) % LADDER_SAMPLE_PERIOD == 0)) {
            /* Relaxed: a count orders nothing. */
            hak_fetch_add_relaxed(&hak_ladder_samples[class_index], (uint64_t)1);
        }
    }
}

/* Gives the calling thread other random numbers than the other threads have. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_begin_sampling(uint32_t thread_number) {
    if (!HAK_P1_BATCHED_STATS) {
        hak_ladder_random += (uint64_t)thread_number << 32; /* never 0: the low half of the constant is not */
    }
}

/* Replaces a class's counts by estimates from the sample. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_estimate(unsigned class_index, uint64_t live, uint64_t *allocations, uint64_t *frees) {
    if (!HAK_P1_BATCHED_STATS) {
        /* Relaxed: a snapshot. An estimate below what is alive would make the frees negative. */
        const uint64_t sampled = LADDER_SAMPLE_PERIOD * hak_load_relaxed(&hak_ladder_samples[class_index]);
        *allocations = sampled > live ? sampled : live;
        *frees = *allocations - live;
    }
}

/* Clears a thread's counts where they are not known: the sample is of all threads together. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_hide_thread_counts(uint64_t *allocations, uint64_t *frees) {
    if (!HAK_P1_BATCHED_STATS) {
        *allocations = 0;
        *frees = 0;
    }
}

#endif
