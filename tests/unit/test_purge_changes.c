/* SPDX-License-Identifier: MIT */
/* The thread that purges where the delay changes while it runs, as mallopt makes it, and where what waits is just as much as may. As in
 * test_purge_thread.c. */
#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/hakmem.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/held.h"
#include "tests/harness/harness.h"
#include "tests/unit/told_purge.h"

#define MIB TOLD_MIB
#define WITH_THREAD "HAKMEM_PURGE_DELAY_MS=1000 HAKMEM_PURGE_THREAD=1"

#define EXPECT_WAITING(bytes) HAK_EXPECT_EQ(hak_purge_waiting_bytes(), bytes)

/* With 4 MiB, which count as in use, and which 8 MiB may wait beside. */
static void begin_thread(void) {
    hak_free(hak_alloc(16));
    hak_held_subtract(hak_held_bytes());
    told_begin(256 * MIB);
    told_free(4 * MIB);
    told_poll();
    HAK_ASSERT_TRUE(told_thread.main != NULL);
}

static void run_thread(void) {
    told_thread.is_current = true;
    told_thread.main();
    told_thread.is_current = false;
}

/* Nothing goes back any more, however much waits, and the sleep is as long as the look is ahead. */
HAK_TEST_ISOLATED(PurgeChanges, NothingGoesOnceNothingMayGo, WITH_THREAD) {
    begin_thread();
    told_free(40 * MIB);
    hak_store_relaxed(&hak_options.purge_delay_ms, (int64_t)-1);
    run_thread();
    HAK_EXPECT_EQ(told_thread.sleeps, 2);
    HAK_EXPECT_EQ(told_thread.slept_ms[0], 50);
    HAK_EXPECT_EQ(told_thread.slept_ms[1], 951);
    EXPECT_WAITING(44 * MIB);
    HAK_EXPECT_EQ(told_thread.left, 1);
}

/* Without a delay what is too much goes as before, as far as the allowance goes, and what is freed meanwhile waits for a millisecond. */
HAK_TEST_ISOLATED(PurgeChanges, SleepsAreShortWhereThereIsNoDelayAnyMore, WITH_THREAD) {
    begin_thread();
    told_free(40 * MIB);
    hak_store_relaxed(&hak_options.purge_delay_ms, (int64_t)0);
    told_thread.ends_at_look = 2;
    run_thread();
    HAK_EXPECT_EQ(told_thread.sleeps, 1);
    HAK_EXPECT_EQ(told_thread.slept_ms[0], 1);
    EXPECT_WAITING(36 * MIB);
}

/* A look that is a delay ahead is none that is far ahead: idle threads are looked for with it. */
HAK_TEST_ISOLATED(PurgeChanges, LooksForIdleThreadsWithTheLookThatIsADelayAhead, WITH_THREAD) {
    begin_thread();
    told_idle_is_pending = true;
    run_thread();
    HAK_EXPECT_EQ(told_idle_looks, 1 + 2);
    EXPECT_WAITING(0);
}

static void free_to_the_bound(void) {
    if (told_thread.sleeps == 1) told_free(12 * MIB);
}

/* Just as much as may wait is no reason to end the wait for idle threads. */
HAK_TEST_ISOLATED(PurgeChanges, WhatMayWaitEndsNoWaitForIdleThreads, WITH_THREAD) {
    begin_thread();
    told_now_ms += 1001;
    told_idle_is_pending = true;
    told_thread.sleeping = free_to_the_bound;
    run_thread();
    HAK_EXPECT_EQ(told_thread.sleeps, 2);
    HAK_EXPECT_EQ(told_thread.slept_ms[0], 50);
    HAK_EXPECT_EQ(told_thread.slept_ms[1], 950);
    EXPECT_WAITING(12 * MIB);
    HAK_EXPECT_EQ(told_idle_looks, 2);
}
