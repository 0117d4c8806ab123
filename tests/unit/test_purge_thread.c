/* SPDX-License-Identifier: MIT */
/* The thread that purges, step by step: what it purges, how long it sleeps, who wakes it and when it ends. Its main function runs on
 * the test's thread, by a clock that is told. */
#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/base/options.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/process/purge.h"
#include "hakmem/process/purge_later.h"
#include "hakmem/region/held.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_list.h"
#include "tests/harness/harness.h"
#include "tests/unit/told_purge.h"

#define MIB TOLD_MIB
#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define WITH_THREAD "HAKMEM_PURGE_DELAY_MS=1000 HAKMEM_PURGE_THREAD=1"

#define EXPECT_WAITING(bytes) HAK_EXPECT_EQ(hak_purge_waiting_bytes(), bytes)

static uint64_t begin_ms;

/* So much is free, and a thread is begun, which does not run yet. */
static void begin_thread(size_t bytes) {
    hak_free(hak_alloc(16));
    hak_held_subtract(hak_held_bytes()); /* the one block's slab: the figures are those of the mapping alone */
    told_begin(256 * MIB);
    told_free(bytes);
    told_poll();
    HAK_ASSERT_TRUE(told_thread.main != NULL && told_thread.runs);
    begin_ms = told_now_ms;
}

static void run_thread(void) {
    told_thread.is_current = true;
    told_thread.main();
    told_thread.is_current = false;
    HAK_EXPECT(!told_thread.runs);
}

HAK_TEST_ISOLATED(PurgeThread, SleepsUntilTheLookIsDueAndEndsWhenNothingWaits, WITH_THREAD) {
    begin_thread(4 * MIB);
    run_thread();
    /* The first sleep is short: a poll may not have seen yet when to nudge. */
    HAK_EXPECT_EQ(told_thread.sleeps, 2);
    HAK_EXPECT_EQ(told_thread.slept_ms[0], 50);
    HAK_EXPECT_EQ(told_thread.slept_ms[1], 951);
    HAK_EXPECT_EQ(told_now_ms, begin_ms + 1001);
    EXPECT_WAITING(0);
    HAK_EXPECT_EQ(told_thread.left, 1);
    HAK_EXPECT_EQ(told_thread.stayed, 0);
}

/* All that is due, however much: the pieces of 8 MiB are for others' sake. */
HAK_TEST_ISOLATED(PurgeThread, PurgesAllThatIsDue, WITH_THREAD) {
    begin_thread(2 * MIB);
    told_free(200 * MIB);
    told_now_ms += 1001;
    run_thread();
    EXPECT_WAITING(0);
    HAK_EXPECT_EQ(told_thread.sleeps, 0);
}

HAK_TEST_ISOLATED(PurgeThread, StopsBetweenPiecesWhenItHasToEnd, WITH_THREAD) {
    begin_thread(64 * MIB);
    told_now_ms += 1001;
    told_thread.ends_at_look = 3; /* before the look that is due, and after each piece */
    run_thread();
    EXPECT_WAITING(48 * MIB);
    HAK_EXPECT_EQ(decay_due_ms(), told_now_ms); /* for whoever polls next */
}

/* 8 MiB may wait beside what was in use when it was begun; what is more wakes the thread, once, and goes but for three quarters of
 * that. */
static unsigned nudged_at_bound, nudged_above;

static void free_in_sleep(void) {
    if (told_thread.sleeps == 1) {
        told_free(8 * MIB);
        told_poll();
        nudged_at_bound = told_thread.nudged;
        told_free(CHUNK);
        told_poll();
        nudged_above = told_thread.nudged;
        told_free(CHUNK);
        told_poll();
    }
}

HAK_TEST_ISOLATED(PurgeThread, IsWokenWhereMoreWaitsThanMay, WITH_THREAD) {
    begin_thread(4 * MIB);
    told_thread.sleeping = free_in_sleep;
    told_thread.ends_at_look = 4; /* before the third sleep */
    run_thread();
    HAK_EXPECT_EQ(nudged_at_bound, 0);
    HAK_EXPECT_EQ(nudged_above, 1);
    HAK_EXPECT_EQ(told_thread.nudged, 1);
    HAK_EXPECT_EQ(told_thread.asked, 1);
    HAK_EXPECT_GE(told_thread.sleeps, 2);
    EXPECT_WAITING(8 * MIB + 2 * CHUNK); /* of 2 MiB and two chunks too much: two huge pages */
}

/* In the child of a fork nobody waits to be woken. */
static void become_a_child(void) {
    if (told_thread.sleeps == 1) {
        hak_purge_fork_child();
        told_free(20 * MIB);
        told_poll();
        nudged_above = told_thread.nudged;
    }
}

HAK_TEST_ISOLATED(PurgeThread, ChildWakesNoThreadOfItsParent, WITH_THREAD) {
    begin_thread(4 * MIB);
    told_thread.sleeping = become_a_child;
    run_thread();
    HAK_EXPECT_EQ(nudged_above, 0);
}

/* Also what the system does not take is resident, but nobody is woken for it. */
static void refuse_in_sleep(void) {
    if (told_thread.sleeps == 1) {
        struct span span;
        HAK_EXPECT_EQ(hak_region_span_alloc(16, 7, &span), 0);
        hak_region_span_free(span.region, span.first, span.count);
        told_skip(MIB);
        told_free(3 * MIB);
        os_fake_fail_only(OS_FAKE_UNMAP | OS_FAKE_PURGE);
        os_fake_fail_from(1);
        HAK_EXPECT_EQ(hak_purge_all(), 0); /* 7 MiB are refused, and the chunks' one */
        os_fake_reset();
        told_skip(MIB);
        told_free(12 * MIB);
        told_poll();
        nudged_at_bound = told_thread.nudged;
        told_free(CHUNK);
        told_poll();
        nudged_above = told_thread.nudged;
    }
}

HAK_TEST_ISOLATED(PurgeThread, IsNotWokenForWhatTheSystemRefused, WITH_THREAD) {
    begin_thread(4 * MIB);
    told_thread.sleeping = refuse_in_sleep;
    run_thread();
    HAK_EXPECT_EQ(nudged_at_bound, 0);
    HAK_EXPECT_EQ(nudged_above, 1);
}

/* What was in use when the thread was begun is forgotten two delays later; what is in use then counts, and an eighth of it may wait.
 * A little is freed all the while, so that the thread stays. */
static size_t waiting_before, waiting_after;

static void free_much_later(void) {
    if (waiting_before != 0 && waiting_after == 0) {
        waiting_after = hak_purge_waiting_bytes();
        told_thread.ends_at_look = told_thread.looks + 1;
    }
    if (waiting_before == 0 && told_now_ms >= begin_ms + 4000) {
        told_free(19 * MIB);
        waiting_before = hak_purge_waiting_bytes();
    }
    told_free(CHUNK);
    told_skip(CHUNK);
}

HAK_TEST_ISOLATED(PurgeThread, AnEighthOfWhatIsInUseMayWait, WITH_THREAD) {
    begin_thread(2 * MIB);
    hak_held_add(160 * MIB);
    told_thread.sleeping = free_much_later;
    run_thread();
    HAK_EXPECT_GE(waiting_before, 19 * MIB);
    HAK_EXPECT_GE(waiting_after, waiting_before);
    HAK_EXPECT_LE(waiting_before, 20 * MIB);
}

/* Who frees before the thread has left, and sees that it still runs, is answered: by it, or by the next one. */
static void free_while_leaving(void) {
    if (told_thread.left == 1) {
        told_free(3 * MIB);
    }
}

HAK_TEST_ISOLATED(PurgeThread, StaysForWhatWasFreedWhileItLeft, WITH_THREAD) {
    begin_thread(4 * MIB);
    told_thread.leaving = free_while_leaving;
    told_thread.may_stay = true;
    run_thread();
    HAK_EXPECT_EQ(told_thread.left, 2);
    HAK_EXPECT_EQ(told_thread.stayed, 1);
    EXPECT_WAITING(0);
}

HAK_TEST_ISOLATED(PurgeThread, LeavesItToTheNextThatHasBegun, WITH_THREAD) {
    begin_thread(4 * MIB);
    told_thread.leaving = free_while_leaving;
    run_thread();
    HAK_EXPECT_EQ(told_thread.left, 1);
    HAK_EXPECT_EQ(told_thread.stayed, 1);
    EXPECT_WAITING(3 * MIB);
}

/* A look that it takes may have been for a poll, to start what waits: it is scheduled again when the thread has ended. */
static unsigned begun;

static void begin(void) { begun++; }

HAK_TEST_ISOLATED(PurgeThread, LeavesALookForWhatAPollHasToStart, WITH_THREAD) {
    begin_thread(4 * MIB);
    const uint64_t from_ms = begin_ms + 500;
    hak_purge_start_later(begin, from_ms);
    run_thread();
    EXPECT_WAITING(0);
    HAK_EXPECT_EQ(told_thread.left, 1);
    HAK_EXPECT_GT(told_now_ms, from_ms);
    HAK_EXPECT_EQ(begun, 0);
    HAK_EXPECT_EQ(decay_due_ms(), from_ms);
    told_poll();
    HAK_EXPECT_EQ(begun, 1);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
}

/* Whoever has just stopped allocating is found idle a delay later, and if not then, once more. */
HAK_TEST_ISOLATED(PurgeThread, LooksTwiceForThreadsThatBecomeIdle, WITH_THREAD) {
    begin_thread(4 * MIB);
    told_now_ms += 1001;
    told_idle_is_pending = true;
    told_thread.shortest_wake_ms = 400; /* each sleep is interrupted, and taken up again */
    run_thread();
    HAK_EXPECT_EQ(told_idle_looks, 3);
    HAK_EXPECT_EQ(told_now_ms, begin_ms + 1001 + 2000);
    HAK_EXPECT_EQ(told_thread.sleeps, 8);
    HAK_EXPECT_EQ(told_thread.slept_ms[0], 50);
    HAK_EXPECT_EQ(told_thread.slept_ms[1], 950);
    HAK_EXPECT_EQ(told_thread.slept_ms[2], 550);
    HAK_EXPECT_EQ(told_thread.slept_ms[3], 150);
    HAK_EXPECT_EQ(told_thread.left, 1);
}

/* What is freed meanwhile wakes it as at any other time; and if nobody sees when to wake it, its first sleep ends soon. */
static size_t waiting_next;

static void note_in_next_sleep(unsigned sleep) {
    if (told_thread.sleeps == sleep + 1) {
        waiting_next = hak_purge_waiting_bytes();
        told_thread.ends_at_look = 1; /* so this is the last sleep */
    }
}

static void free_in_idle_sleep(void) {
    if (told_thread.sleeps == 2) {
        told_free(8 * MIB);
        told_poll();
        nudged_at_bound = told_thread.nudged;
        told_free(12 * MIB);
        told_poll();
    }
    note_in_next_sleep(2);
}

static void free_unseen_in_idle_sleep(void) {
    if (told_thread.sleeps == 1) {
        told_free(20 * MIB);
    }
    note_in_next_sleep(1);
}

static void look_for_idle_threads(void (*sleeping)(void)) {
    begin_thread(4 * MIB);
    told_now_ms += 1001;
    told_idle_is_pending = true;
    told_thread.shortest_wake_ms = 100;
    told_thread.sleeping = sleeping;
    run_thread();
    /* 8 MiB may wait beside the 4 that counted as in use when it was begun. */
    HAK_EXPECT_EQ(waiting_next, 12 * MIB);
    HAK_EXPECT_LT(told_now_ms, begin_ms + 1001 + 1000);
}

HAK_TEST_ISOLATED(PurgeThread, IsWokenWhileItWaitsForIdleThreads, WITH_THREAD) {
    look_for_idle_threads(free_in_idle_sleep);
    HAK_EXPECT_EQ(nudged_at_bound, 0);
    HAK_EXPECT_EQ(told_thread.nudged, 1);
}

HAK_TEST_ISOLATED(PurgeThread, SeesWhatNobodyWokeItForWhileItWaitsForIdleThreads, WITH_THREAD) {
    look_for_idle_threads(free_unseen_in_idle_sleep);
    HAK_EXPECT_EQ(told_thread.nudged, 0);
}

/* A nudge for what has gone by the time the thread looks is not its last one. */
static void free_twice_in_idle_sleep(void) {
    if (told_thread.sleeps == 2 || told_thread.sleeps == 3) {
        told_free(20 * MIB);
        told_poll();
    }
    if (told_thread.sleeps == 2) {
        (void)hak_purge_all();
    }
    note_in_next_sleep(3);
}

HAK_TEST_ISOLATED(PurgeThread, IsWokenAgainWhileItWaitsForIdleThreads, WITH_THREAD) {
    look_for_idle_threads(free_twice_in_idle_sleep);
    HAK_EXPECT_EQ(told_thread.nudged, 2);
}

HAK_TEST_ISOLATED(PurgeThread, DoesNotLookWhereNobodyCanBecomeIdle, WITH_THREAD) {
    begin_thread(4 * MIB);
    told_now_ms += 1001;
    run_thread();
    HAK_EXPECT_EQ(told_idle_looks, 1);
    HAK_EXPECT_EQ(told_thread.sleeps, 0);
}

/* Looks for idle threads where the delay is another when the thread runs, as mallopt makes it. */
static unsigned idle_looks_with(int64_t delay_ms, uint64_t waits_ms) {
    begin_thread(4 * MIB);
    told_now_ms += 1001;
    told_idle_is_pending = true;
    hak_store_relaxed(&hak_options.purge_delay_ms, delay_ms);
    run_thread();
    HAK_EXPECT_EQ(told_now_ms, begin_ms + 1001 + waits_ms);
    return told_idle_looks;
}

/* Not before a tenth of a second has passed, since nobody is looked at sooner again. */
HAK_TEST_ISOLATED(PurgeThread, LooksTwiceForIdleThreadsWithTheLeastDelayToo, WITH_THREAD) {
    HAK_EXPECT_EQ(idle_looks_with(1, 200), 3);
    HAK_EXPECT_EQ(told_thread.sleeps, 4);
    EXPECT_WAITING(0);
}

HAK_TEST_ISOLATED(PurgeThread, LooksTwiceForIdleThreadsWithAnyShortDelay, WITH_THREAD) {
    HAK_EXPECT_EQ(idle_looks_with(99, 200), 3);
}

HAK_TEST_ISOLATED(PurgeThread, LooksForIdleThreadsADelayLaterWithALongerOne, WITH_THREAD) {
    HAK_EXPECT_EQ(idle_looks_with(101, 202), 3);
}

/* Its first pass finds nobody to take slabs of. Where its last one comes too soon to look again, somebody may have worked meanwhile. */
HAK_TEST_ISOLATED(PurgeThread, LooksForIdleThreadsAfterAPassThatCameTooSoon,
                  "HAKMEM_PURGE_DELAY_MS=40 HAKMEM_PURGE_THREAD=1") {
    begin_thread(4 * MIB);
    told_skip(MIB);
    told_now_ms += 31;
    told_free(2 * MIB);
    told_now_ms += 10;
    run_thread();
    EXPECT_WAITING(0);
    HAK_EXPECT_EQ(told_idle_looks, 1 + 2);
    HAK_EXPECT_EQ(told_thread.left, 1);
}

HAK_TEST_ISOLATED(PurgeThread, WaitsForNoIdleThreadsWithoutADelay, WITH_THREAD) {
    HAK_EXPECT_EQ(idle_looks_with(0, 0), 1);
    EXPECT_WAITING(0);
}

HAK_TEST_ISOLATED(PurgeThread, WaitsForNoIdleThreadsWhereNothingGoesBack, WITH_THREAD) {
    HAK_EXPECT_EQ(idle_looks_with(-1, 0), 0);
    EXPECT_WAITING(4 * MIB);
}

HAK_TEST_ISOLATED(PurgeThread, EndsWhileItWaitsForIdleThreads, WITH_THREAD) {
    begin_thread(4 * MIB);
    told_now_ms += 1001;
    told_idle_is_pending = true;
    told_thread.ends_at_look = 4;
    run_thread();
    HAK_EXPECT_EQ(told_thread.sleeps, 1);
    HAK_EXPECT_EQ(told_thread.left, 1);
}

/* A region waits for huge pages, so that a look is further ahead than one for what is freed now. */
static void run_before_far_look(void) {
    begin_thread(4 * MIB);
    told_now_ms += 1001;
    hak_regions.huge_pages_from_ms = told_now_ms + 5000;
    hak_store_relaxed(&hak_regions.huge_pages_wait, true);
    run_thread();
    HAK_EXPECT_GE(told_now_ms, begin_ms + 1001 + 5000);
    HAK_EXPECT(!hak_load_relaxed(&hak_regions.huge_pages_wait));
}

static uint64_t freed_ms, woken_ms;

static void free_in_far_sleep(void) {
    if (told_thread.sleeps == 2) {
        told_now_ms -= 500;
        freed_ms = told_now_ms;
        told_free(2 * MIB);
        told_now_ms += 500;
        waiting_next = hak_purge_waiting_bytes();
    } else if (woken_ms != 0) {
        waiting_next = hak_purge_waiting_bytes();
    } else if (freed_ms != 0 && told_now_ms >= freed_ms + 1001) {
        woken_ms = told_now_ms;
    }
}

HAK_TEST_ISOLATED(PurgeThread, PurgesInTimeWhatIsFreedBeforeALookThatIsFarAhead, WITH_THREAD) {
    told_thread.sleeping = free_in_far_sleep;
    run_before_far_look();
    HAK_EXPECT_LE(told_thread.slept_ms[1], 1001);
    HAK_EXPECT_EQ(woken_ms, freed_ms + 1001);
    HAK_EXPECT_EQ(waiting_next, 0);
}

/* Once for each look that was due, twice at the end, and each second between. */
HAK_TEST_ISOLATED(PurgeThread, FindsThreadsIdleBeforeALookThatIsFarAhead, WITH_THREAD) {
    told_idle_is_pending = true;
    run_before_far_look();
    HAK_EXPECT_GE(told_idle_looks, 2 + 2 + 4);
}
