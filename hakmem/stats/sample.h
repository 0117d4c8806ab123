/* SPDX-License-Identifier: MIT */
/* The statistics of builds without P1: one allocation in 16, chosen at random, is counted.
 *
 * Every allocation runs the generator; the counters are shared by all threads. */
#ifndef HAKMEM_STATS_SAMPLE_H
#define HAKMEM_STATS_SAMPLE_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/random.h"
#include "hakmem/size_class/size_class.h"

/* One in this many, a power of two; source: the published strategy note. */
#define SAMPLE_PERIOD 16

extern HAK_THREAD_LOCAL uint64_t hak_sample_state;  /* never 0 */
extern uint64_t hak_sample_counts[HAK_CLASS_COUNT]; /* atomic: relaxed additions by all threads */

HAK_ALWAYS_INLINE void sample_allocation(unsigned class_index) {
    if (HAK_UNLIKELY(random_xorshift64(&hak_sample_state) % SAMPLE_PERIOD == 0)) {
        /* Relaxed: a count orders nothing. */
        hak_fetch_add_relaxed(&hak_sample_counts[class_index], (uint64_t)1);
    }
}

#endif
