/* SPDX-License-Identifier: MIT */
/* Histograms of durations, and what a tick of the processor's clock is in nanoseconds.
 *
 * Called by the worker on the main thread, before and after the measured part. */
#include "bench/worker/latency.h"

#include "bench/worker/measure.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Reading both clocks takes below 100 ns: over 20 ms an error of some millionths. */
#define CALIBRATION_NS 20000000u

#define TIMER_SAMPLES 10001

static struct { uint64_t ticks, ns; /* of the same moment */ } origin;

uint64_t latency_bucket_ticks(unsigned bucket) {
    if (bucket < 2 * LATENCY_SUBDIVISION) {
        return bucket;
    }
    unsigned shift = bucket / LATENCY_SUBDIVISION - 1;
    uint64_t low = (uint64_t)(bucket - shift * LATENCY_SUBDIVISION) << shift;
    return low + (UINT64_C(1) << (shift - 1));
}

void latency_clear(struct latency_pair *pair) { memset(pair, 0, sizeof *pair); }

void latency_merge(struct latency_histogram *to, const struct latency_histogram *from) {
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        to->bucket[i] += from->bucket[i];
    }
    to->count += from->count;
    to->max = from->max > to->max ? from->max : to->max;
}

uint64_t latency_quantile(const struct latency_histogram *histogram, unsigned share) {
    uint64_t wanted = (histogram->count * share + 9999) / 10000;
    uint64_t seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen >= wanted && seen != 0) {
            uint64_t ticks = latency_bucket_ticks(i);
            return ticks < histogram->max ? ticks : histogram->max;
        }
    }
    return 0;
}

uint64_t latency_timer_cost(void) {
    static struct latency_histogram histogram;
    memset(&histogram, 0, sizeof histogram);
    for (unsigned i = 0; i < TIMER_SAMPLES; i++) {
        uint64_t start = latency_clock();
        latency_add(&histogram, latency_clock() - start);
    }
    return latency_quantile(&histogram, 5000);
}

const char *latency_defect(void) {
#if defined(__x86_64__)
    /* Leaf 0x80000007, bit 8 of EDX: the counter runs at one rate in all power states. Leaf 0x80000001, bit 27 of
     * EDX: there is rdtscp. */
    unsigned a, b, c, power = 0, features = 0;
    if (__get_cpuid(0x80000007, &a, &b, &c, &power) == 0 || (power >> 8 & 1) == 0 ||
        __get_cpuid(0x80000001, &a, &b, &c, &features) == 0 || (features >> 27 & 1) == 0) {
        return "--latency needs a time stamp counter of constant rate and the instruction rdtscp, which this "
               "processor does not have";
    }
#endif
    return NULL;
}

void latency_calibrate(void) {
    origin.ns = measure_clock_ns();
    origin.ticks = latency_clock();
}

double latency_tick_ns(void) {
    uint64_t ns, ticks;
    do {
        ns = measure_clock_ns() - origin.ns;
        ticks = latency_clock() - origin.ticks;
    } while (ns < CALIBRATION_NS);
    return (double)ns / (double)ticks;
}
