/* SPDX-License-Identifier: MIT */
/* Durations of single calls: the processor's own clock, and a histogram with an error of at most 1 %.
 *
 *   duration d, in ticks      0 .. 127   128 .. 255   256 .. 511   512 .. 1023  ..
 *   buckets                     128         128          128          128       ..
 *   width of a bucket             1           1            2            4       ..
 *
 * So a bucket is at most 1/128 of its durations wide. Each thread adds to its own pair; the main thread sums up
 * when all have ended. Used with --latency only. */
#ifndef BENCH_WORKER_LATENCY_H
#define BENCH_WORKER_LATENCY_H

#include "hakmem/base/compiler.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#define LATENCY_TIMER "rdtscp"
#else
#include "bench/worker/measure.h"
#define LATENCY_TIMER "clock_gettime"
#endif

#define LATENCY_SUBDIVISION 128 /* buckets that a power of two is cut into; a power of two itself */
#define LATENCY_SUBDIVISION_BITS 7
#define LATENCY_BUCKETS ((64 - LATENCY_SUBDIVISION_BITS + 1) * LATENCY_SUBDIVISION)

struct latency_histogram {
    uint64_t count, max; /* count == sum of bucket[] */
    uint64_t bucket[LATENCY_BUCKETS];
};

struct latency_pair {
    HAK_CACHE_ALIGNED struct latency_histogram alloc;
    struct latency_histogram free;
};

/* Ticks. rdtscp waits for what stands before it; the fence keeps what stands after it from starting early. */
HAK_ALWAYS_INLINE uint64_t latency_clock(void) {
#if defined(__x86_64__)
    unsigned processor;
    uint64_t ticks = __rdtscp(&processor);
    _mm_lfence();
    return ticks;
#else
    return measure_clock_ns();
#endif
}

HAK_ALWAYS_INLINE unsigned latency_bucket(uint64_t ticks) {
    if (ticks < LATENCY_SUBDIVISION) {
        return (unsigned)ticks;
    }
    unsigned shift = 63 - (unsigned)__builtin_clzll(ticks) - LATENCY_SUBDIVISION_BITS;
    return shift * LATENCY_SUBDIVISION + (unsigned)(ticks >> shift);
}

/* The middle of a bucket. */
uint64_t latency_bucket_ticks(unsigned bucket);

HAK_ALWAYS_INLINE void latency_add(struct latency_histogram *histogram, uint64_t ticks) {
    histogram->bucket[latency_bucket(ticks)]++;
    histogram->count++;
    if (ticks > histogram->max) {
        histogram->max = ticks;
    }
}

/* Around a call that is to be timed where `timed` is true: the clock before it, and its duration added to a
 * histogram. */
HAK_ALWAYS_INLINE uint64_t latency_begin(const bool timed) { return timed ? latency_clock() : 0; }
HAK_ALWAYS_INLINE void latency_end(const bool timed, struct latency_histogram *histogram, uint64_t start) {
    if (timed) {
        latency_add(histogram, latency_clock() - start);
    }
}

void latency_clear(struct latency_pair *pair);

/* Adds all of `from` to `to`. */
void latency_merge(struct latency_histogram *to, const struct latency_histogram *from);

/* The least duration that at least `share` of ten thousand are not above; ticks. 0 where nothing was added. */
uint64_t latency_quantile(const struct latency_histogram *histogram, unsigned share);

/* The median of what the timer measures when it times nothing; ticks. */
uint64_t latency_timer_cost(void);

/* A sentence that says why the timer cannot be used here; NULL where it can. */
const char *latency_defect(void);

/* Starts the comparison with the clock; afterwards latency_tick_ns waits until it spans enough time. */
void latency_calibrate(void);
double latency_tick_ns(void);

#endif
