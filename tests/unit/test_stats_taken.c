/* SPDX-License-Identifier: MIT */
/* A reading lies in static storage, and on the stack of whoever comes while that is taken: a signal handler of the reader, say. The
 * linker sends each reading through this file. */
#include <stdlib.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/observe/read.h"
#include "tests/harness/harness.h"

#define NOTED_MOST 8u

static const struct stats_reading *readings[NOTED_MOST];
static unsigned reading_count;
static void (*within)(void); /* before the reader copies what it wants; once */

void __real_hak_stats_read(struct stats_reading *reading);
void __wrap_hak_stats_read(struct stats_reading *reading);

void __wrap_hak_stats_read(struct stats_reading *reading) {
    void (*const call)(void) = within;
    if (reading_count < NOTED_MOST) readings[reading_count] = reading;
    reading_count++;
    __real_hak_stats_read(reading);
    within = NULL;
    if (call != NULL) call();
}

static struct hak_stats inner;

static void read_within(void) { hak_stats_get(&inner); }

HAK_TEST_ISOLATED(StatsTaken, ReadingsAreInOnePlaceUnlessItIsTaken, "") {
    struct hak_stats stats;
    for (unsigned i = 0; i < 3; i++) hak_stats_get(&stats);
    for (unsigned i = 1; i < 3; i++) HAK_EXPECT_PTR_EQ(readings[i], readings[0]);
    within = read_within;
    hak_stats_get(&stats);
    HAK_EXPECT_EQ(reading_count, 5);
    HAK_EXPECT_PTR_EQ(readings[3], readings[0]);
    HAK_EXPECT(readings[4] != readings[0]);
    HAK_EXPECT_EQ(inner.tiny.live_blocks, stats.tiny.live_blocks);
    HAK_EXPECT_EQ(inner.threads, stats.threads);
    hak_stats_get(&stats); /* and it is free again */
    HAK_EXPECT_PTR_EQ(readings[5], readings[0]);
}

static struct hak_class_stats inner_class, *inner_classes;
static size_t inner_threads;

static void read_all_within(void) {
    static struct hak_stats stats;
    static struct hak_thread_stats thread;
    HAK_EXPECT(hak_stats_get_classes(&stats, inner_classes, hak_class_count()));
    HAK_EXPECT(hak_class_get_stats(3, &inner_class));
    inner_threads = hak_stats_get_threads(&thread, 1);
    HAK_EXPECT_EQ(thread.number != 0, inner_threads > 0);
}

/* The others that ask on their stack get what they asked for, and leave the first one's reading as it was. */
HAK_TEST_ISOLATED(StatsTaken, WhoComesMeanwhileReadsForItself, "") {
    void *const p = hak_alloc(16);
    const unsigned count = hak_class_count();
    struct hak_class_stats *const classes = calloc(count, sizeof *classes);
    struct hak_stats stats;
    inner_classes = calloc(count, sizeof *inner_classes);
    HAK_ASSERT_TRUE(classes != NULL && inner_classes != NULL);
    within = read_all_within;
    HAK_EXPECT(hak_stats_get_classes(&stats, classes, count));
    HAK_EXPECT_EQ(reading_count, 4);
    HAK_EXPECT_EQ(memcmp(classes, inner_classes, count * sizeof *classes), 0);
    HAK_EXPECT_EQ(memcmp(&classes[3], &inner_class, sizeof inner_class), 0);
    HAK_EXPECT_EQ(inner_threads, stats.threads);
    HAK_EXPECT_GE(inner_threads, 1);
    free(classes);
    free(inner_classes);
    hak_free(p);
}
