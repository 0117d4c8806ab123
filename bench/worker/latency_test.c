/* SPDX-License-Identifier: MIT */
/* The histogram of durations: its promise of 1 %, and its quantiles against sorted durations. */
#include "bench/worker/latency.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/harness.h"

#define DURATIONS 20000

static struct latency_pair pair;

/* Durations of all orders of magnitude: 1 to 64 random bits. */
static uint64_t next_duration(uint64_t *random) {
    uint64_t x = *random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *random = x;
    return x >> (x * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

static bool within_a_percent(uint64_t figure, uint64_t truth) {
    uint64_t difference = figure > truth ? figure - truth : truth - figure;
    return difference <= truth / 100;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

HAK_TEST(Latency, BucketsRiseAndStandForTheirDurations) {
    uint64_t random = 1;
    for (unsigned i = 0; i < DURATIONS; i++) {
        uint64_t ticks = next_duration(&random);
        HAK_EXPECT(latency_bucket(ticks) < LATENCY_BUCKETS);
        HAK_EXPECT(within_a_percent(latency_bucket_ticks(latency_bucket(ticks)), ticks));
        HAK_EXPECT(ticks == UINT64_MAX || latency_bucket(ticks) <= latency_bucket(ticks + 1));
    }
    HAK_EXPECT_EQ(latency_bucket(0), 0);
    HAK_EXPECT_EQ(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

HAK_TEST(Latency, EveryBucketHoldsItsOwnMiddle) {
    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        HAK_EXPECT_EQ(latency_bucket(latency_bucket_ticks(bucket)), bucket);
    }
}

HAK_TEST(Latency, QuantilesAreThoseOfSortedDurations) {
    static uint64_t sorted[DURATIONS];
    uint64_t random = 2;
    latency_clear(&pair);
    for (unsigned i = 0; i < DURATIONS; i++) {
        sorted[i] = next_duration(&random);
        latency_add(&pair.alloc, sorted[i]);
    }
    qsort(sorted, DURATIONS, sizeof sorted[0], by_value);
    HAK_EXPECT_EQ(pair.alloc.count, DURATIONS);
    HAK_EXPECT_EQ(pair.alloc.max, sorted[DURATIONS - 1]);
    const unsigned share[] = {10, 5000, 9900, 9990, 9999, 10000};
    for (unsigned i = 0; i < sizeof share / sizeof share[0]; i++) {
        uint64_t truth = sorted[DURATIONS / 10000 * share[i] - 1];
        HAK_EXPECT(within_a_percent(latency_quantile(&pair.alloc, share[i]), truth));
    }
}

HAK_TEST(Latency, AMergedHistogramIsThatOfAllDurations) {
    static struct latency_histogram all, sum;
    uint64_t random = 3;
    latency_clear(&pair);
    for (unsigned i = 0; i < DURATIONS; i++) {
        uint64_t ticks = next_duration(&random);
        latency_add(i % 3 == 0 ? &pair.alloc : &pair.free, ticks);
        latency_add(&all, ticks);
    }
    latency_merge(&sum, &pair.alloc);
    latency_merge(&sum, &pair.free);
    HAK_EXPECT_EQ(memcmp(&sum, &all, sizeof all), 0);
}

HAK_TEST(Latency, AnEmptyHistogramHasNoQuantile) {
    latency_clear(&pair);
    HAK_EXPECT_EQ(latency_quantile(&pair.free, 5000), 0);
}

/* A tick is what the clock says it is: over 20 ms both see the same time. */
HAK_TEST(Latency, ATickIsMeasuredByTheClock) {
    if (latency_defect() != NULL) {
        HAK_SKIP("no constant time stamp counter");
    }
    latency_calibrate();
    double first = latency_tick_ns(), second = latency_tick_ns();
    HAK_EXPECT(first > 0);
    HAK_EXPECT(second / first > 0.99 && second / first < 1.01);
    HAK_EXPECT(latency_timer_cost() > 0);
}
