/* SPDX-License-Identifier: MIT */
/* What a poll gives back where no thread purges, and when it begins one: in bytes and milliseconds, by a clock that is told. */
#include <errno.h>

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
#include "tests/harness/harness.h"
#include "tests/unit/told_purge.h"

#define MIB TOLD_MIB
#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define ALONE "HAKMEM_PURGE_DELAY_MS=1000 HAKMEM_PURGE_THREAD=0"
#define WITH_THREAD "HAKMEM_PURGE_DELAY_MS=1000 HAKMEM_PURGE_THREAD=1"

static void free_and_poll(size_t bytes) {
    told_free(bytes);
    told_poll();
}

#define EXPECT_WAITING(bytes) HAK_EXPECT_EQ(hak_purge_waiting_bytes(), bytes)

HAK_TEST_ISOLATED(PurgePoll, LookComesADelayAfterTheFreeAndAgainWhileAnythingIsLeft, ALONE) {
    const uint64_t begin_ms = told_now_ms;
    told_begin(64 * MIB);
    free_and_poll(12 * MIB);
    HAK_EXPECT_EQ(decay_due_ms(), begin_ms + 1001);
    told_now_ms = begin_ms + 1000;
    told_poll();
    EXPECT_WAITING(12 * MIB);
    told_now_ms++;
    told_poll(); /* a piece, since nothing came */
    EXPECT_WAITING(4 * MIB);
    HAK_EXPECT_EQ(decay_due_ms(), told_now_ms);
    told_skip(MIB);
    told_now_ms += 100;
    told_free(2 * MIB);
    told_poll();
    EXPECT_WAITING(2 * MIB); /* the others are too young */
    HAK_EXPECT_EQ(decay_due_ms(), told_now_ms + 251);
    told_now_ms += 1000;
    told_poll();
    EXPECT_WAITING(0);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
}

/* Each call of a huge block is a slow path. */
HAK_TEST_ISOLATED(PurgePoll, CallsOfHugeBlocksPoll, ALONE) {
    told_begin(64 * MIB);
    void *p = NULL;
    for (unsigned call = 0; call < 3; call++) {
        told_free(2 * MIB);
        told_skip(MIB);
        told_now_ms += 1001;
        if (call == 0) HAK_ASSERT_TRUE((p = hak_alloc(64 * MIB)) != NULL);
        if (call == 1) HAK_ASSERT_TRUE((p = hak_realloc(p, 128 * MIB)) != NULL);
        if (call == 2) hak_free(p);
        if (call < 2) EXPECT_WAITING(0);
        HAK_EXPECT(!hak_kept_contains(told_last()));
    }
}

HAK_TEST_ISOLATED(PurgePoll, DelayZeroLeavesNothing, "HAKMEM_PURGE_DELAY_MS=0 HAKMEM_PURGE_THREAD=1") {
    told_begin(64 * MIB);
    for (unsigned mib = 1; mib <= 9; mib++) {
        free_and_poll(mib * MIB);
        EXPECT_WAITING(0);
    }
    hak_decay_schedule(told_now_ms + 2); /* as one for huge pages, which is for later whatever the delay */
    told_poll();
    HAK_EXPECT_EQ(decay_due_ms(), told_now_ms + 2);
    free_and_poll(MIB);
    EXPECT_WAITING(0);
    HAK_EXPECT_EQ(told_thread.asked, 0);
}

HAK_TEST_ISOLATED(PurgePoll, DelayMinusOneLeavesAll, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_PURGE_THREAD=1") {
    told_begin(64 * MIB);
    free_and_poll(64 * MIB);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    hak_decay_schedule(1);
    told_poll();
    EXPECT_WAITING(64 * MIB);
    HAK_EXPECT_EQ(told_thread.asked, 0);
}

/* What was freed half a delay ago goes before what was freed an eighth ago, and that before all else, wherever it lies; of
 * the same age, chunks go first. The chunks are so much younger than the mapping, and so old. */
static void expect_goes_first(uint64_t younger_ms, uint64_t age_ms, bool kept_goes) {
    struct span span;
    told_begin(64 * MIB);
    told_free(6 * MIB);
    told_now_ms += younger_ms;
    HAK_EXPECT_EQ(hak_region_span_alloc(192, 7, &span), 0);
    hak_region_span_free(span.region, span.first, span.count);
    told_now_ms += age_ms;
    told_poll(); /* 18 MiB wait, 6 of them too much */
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), kept_goes ? 0 : 6 * MIB);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), kept_goes ? 12 * MIB : 6 * MIB);
}

HAK_TEST_ISOLATED(PurgePoll, OfOneAgeChunksGoFirst, ALONE) { expect_goes_first(124, 0, false); }

HAK_TEST_ISOLATED(PurgePoll, WhatIsAnEighthOfADelayOldGoesFirst, ALONE) { expect_goes_first(125, 0, true); }

HAK_TEST_ISOLATED(PurgePoll, OfAnEighthOfADelayChunksGoFirst, ALONE) { expect_goes_first(99, 400, false); }

HAK_TEST_ISOLATED(PurgePoll, WhatIsHalfADelayOldGoesFirst, ALONE) { expect_goes_first(100, 400, true); }

/* Soon after the machine's start the clock is below the delay. */
HAK_TEST_ISOLATED(PurgePoll, NothingIsOldWhereTheClockHasJustBegun, ALONE) {
    told_now_ms = 1;
    told_begin(64 * MIB);
    told_free(4 * MIB);
    told_now_ms = 900;
    hak_decay_schedule(1);
    told_poll();
    EXPECT_WAITING(4 * MIB);
}

HAK_TEST_ISOLATED(PurgePoll, WhatIsRefusedIsNotToBeDone, ALONE) {
    told_begin(64 * MIB);
    told_free(18 * MIB);
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_UNMAP | OS_FAKE_PURGE);
    os_fake_fail_from(1);
    HAK_EXPECT_EQ(hak_purge_all(), 0);
    HAK_EXPECT_EQ(hak_kept_refused_bytes(), 18 * MIB);
    os_fake_reset();
    told_now_ms += 2000;
    told_poll();
    EXPECT_WAITING(18 * MIB);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    HAK_EXPECT_EQ(hak_purge_all(), 18 * MIB);
    EXPECT_WAITING(0);
}

HAK_TEST_ISOLATED(PurgePoll, ErrnoStays, ALONE) {
    told_begin(64 * MIB);
    told_free(30 * MIB);
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_UNMAP | OS_FAKE_PURGE);
    os_fake_fail_from(1);
    errno = EDOM;
    told_poll();
    HAK_EXPECT_EQ(errno, EDOM);
    os_fake_reset();
}

/* ---- The thread ---- */

HAK_TEST_ISOLATED(PurgePoll, MoreThanAMiBIsWorthAThread, WITH_THREAD) {
    hak_free(hak_alloc(16));
    told_begin(64 * MIB);
    free_and_poll(MIB);
    HAK_EXPECT_EQ(told_thread.asked, 0);
    told_free(CHUNK);
    told_poll_quietly();
    hak_purge_poll_due_alloc(NULL);
    HAK_EXPECT_EQ(told_thread.asked, 0);
    told_poll();
    HAK_EXPECT_EQ(told_thread.asked, 1);
    HAK_EXPECT(told_thread.runs);
}

/* Then the thread purges, and no poll does. */
HAK_TEST_ISOLATED(PurgePoll, WithAThreadPollsLeaveAll, WITH_THREAD) {
    hak_free(hak_alloc(16));
    told_begin(64 * MIB);
    free_and_poll(40 * MIB);
    EXPECT_WAITING(40 * MIB);
    told_now_ms += 5000;
    free_and_poll(20 * MIB);
    EXPECT_WAITING(60 * MIB);
    HAK_EXPECT_EQ(told_thread.asked, 1);
    HAK_EXPECT_EQ(told_thread.nudged, 0); /* it has not said when it wants to be */
}

static void ask_in_vain(int refusal) {
    hak_free(hak_alloc(16));
    told_begin(64 * MIB);
    told_thread.refusal = refusal;
    free_and_poll(18 * MIB);
    HAK_EXPECT_EQ(told_thread.asked, 1);
}

HAK_TEST_ISOLATED(PurgePoll, RefusedThreadIsAskedForASecondLater, WITH_THREAD) {
    ask_in_vain(EAGAIN);
    EXPECT_WAITING(12 * MIB); /* the poll does it */
    told_now_ms += 999;
    told_poll();
    HAK_EXPECT_EQ(told_thread.asked, 1);
    told_now_ms++;
    told_poll();
    HAK_EXPECT_EQ(told_thread.asked, 2);
}

/* One that another call has begun meanwhile, or that is about to end, has not been refused. */
HAK_TEST_ISOLATED(PurgePoll, AThreadThatIsBusyIsAskedForAtOnce, WITH_THREAD) {
    ask_in_vain(EBUSY);
    told_poll();
    HAK_EXPECT_EQ(told_thread.asked, 2);
}

HAK_TEST_ISOLATED(PurgePoll, NoThreadInAProcessOfOne, "HAKMEM_PURGE_DELAY_MS=1000") {
    hak_free(hak_alloc(16));
    told_begin(64 * MIB);
    free_and_poll(8 * MIB);
    HAK_EXPECT_EQ(told_thread.asked, 0);
}

/* A while after the last one has ended only where more waits than may. */
HAK_TEST_ISOLATED(PurgePoll, NoThreadIsBegunSoonAfterAnotherWhereLittleWaits, WITH_THREAD) {
    hak_free(hak_alloc(16));
    told_begin(64 * MIB);
    told_thread.from_ms = told_now_ms + 100;
    free_and_poll(16 * MIB);
    told_now_ms += 99;
    told_poll();
    HAK_EXPECT_EQ(told_thread.asked, 0);
    told_now_ms++;
    told_poll();
    HAK_EXPECT_EQ(told_thread.asked, 1);
    told_thread.runs = false;
    told_thread.from_ms = told_now_ms + 100;
    free_and_poll(CHUNK);
    HAK_EXPECT_EQ(told_thread.asked, 2);
    EXPECT_WAITING(16 * MIB + CHUNK);
}

/* Whether a poll of the C library's begins one, where it is known that it is, and where it is not. */
static bool begins(void (*poll)(const void *caller), bool is_known, bool is_library) {
    told_library = (struct told_library){true, is_known, is_library};
    told_thread.runs = false;
    told_thread.asked = 0;
    poll(&told_library);
    return told_thread.asked == 1;
}

HAK_TEST_ISOLATED(PurgePoll, PollsOfTheCLibraryBeginNoThreadWhereThatIsKnown, WITH_THREAD) {
    hak_free(hak_alloc(16));
    told_begin(64 * MIB);
    told_free(4 * MIB);
    HAK_EXPECT(begins(hak_purge_poll_due, true, false) && begins(hak_purge_poll_due_alloc, true, false));
    HAK_EXPECT(!begins(hak_purge_poll_due, true, true) && !begins(hak_purge_poll_due_alloc, true, true));
    HAK_EXPECT(!begins(hak_purge_poll_due, false, true) && begins(hak_purge_poll_due_alloc, false, true));
}

/* ---- Where ours has ended, and where the delay changes ---- */

HAK_TEST_ISOLATED(PurgePoll, WhoWaitedForTheEndOfAThreadBeginsAnother, WITH_THREAD) {
    hak_free(hak_alloc(16));
    told_begin(64 * MIB);
    told_free(MIB);
    hak_purge_thread_was_ended();
    told_free(CHUNK);
    HAK_EXPECT(hak_decay_take()); /* somebody looks just now */
    hak_purge_thread_was_ended();
    HAK_EXPECT_EQ(told_thread.asked, 0);
    told_poll();
    HAK_EXPECT_EQ(told_thread.asked, 0);
    told_free(20 * MIB);
    hak_purge_thread_was_ended();
    HAK_EXPECT_EQ(told_thread.asked, 1);
    EXPECT_WAITING(21 * MIB + CHUNK);
}

HAK_TEST_ISOLATED(PurgePoll, WhoWaitedForTheEndOfAThreadPurgesWhatIsTooMuch, ALONE) {
    told_begin(128 * MIB);
    told_free(100 * MIB);
    hak_purge_thread_was_ended();
    EXPECT_WAITING(12 * MIB);
    HAK_EXPECT_EQ(told_thread.asked, 0);
}

/* As mallopt changes it while 20 MiB wait. */
static void change_delay(int64_t delay_ms, void (*then)(void), unsigned asked, size_t waiting) {
    hak_free(hak_alloc(16));
    told_begin(64 * MIB);
    told_free(20 * MIB);
    hak_store_relaxed(&hak_options.purge_delay_ms, delay_ms);
    then();
    HAK_EXPECT_EQ(told_thread.asked, asked);
    EXPECT_WAITING(waiting);
}

HAK_TEST_ISOLATED(PurgePoll, WithoutADelayAPollBeginsNone, WITH_THREAD) { change_delay(0, told_poll, 0, 12 * MIB); }

HAK_TEST_ISOLATED(PurgePoll, WithTheLeastDelayAPollBeginsOne, WITH_THREAD) { change_delay(1, told_poll, 1, 20 * MIB); }

HAK_TEST_ISOLATED(PurgePoll, WithoutADelayNoOtherIsBegun, WITH_THREAD) {
    change_delay(0, hak_purge_thread_was_ended, 0, 12 * MIB);
}

HAK_TEST_ISOLATED(PurgePoll, WithTheLeastDelayAnotherIsBegun, WITH_THREAD) {
    change_delay(1, hak_purge_thread_was_ended, 1, 20 * MIB);
}

HAK_TEST_ISOLATED(PurgePoll, WhereNothingMayGoNothingGoes, WITH_THREAD) {
    change_delay(-1, hak_purge_thread_was_ended, 0, 20 * MIB);
    told_poll();
    HAK_EXPECT_EQ(told_thread.asked, 0);
    EXPECT_WAITING(20 * MIB);
}

/* What needs a thread of its own is begun by a poll that may, once, and only where the program has a thread. */
static unsigned begun;

static void begin(void) { begun++; }

HAK_TEST_ISOLATED(PurgePoll, WhatIsToBeginLaterBeginsOnce, ALONE) {
    told_begin(MIB);
    hak_purge_start_later(begin, PURGE_START_AT_ONCE);
    HAK_EXPECT_EQ(decay_due_ms(), 1);
    told_poll(); /* nobody allocated yet */
    HAK_EXPECT_EQ(begun, 0);
    HAK_EXPECT_EQ(decay_due_ms(), 1);
    HAK_EXPECT(hak_decay_take()); /* so that no allocation polls */
    hak_free(hak_alloc(16));
    told_poll_quietly();
    HAK_EXPECT_EQ(begun, 0);
    HAK_EXPECT_EQ(decay_due_ms(), 1);
    told_poll();
    HAK_EXPECT_EQ(begun, 1);
    hak_decay_schedule(1);
    told_poll();
    HAK_EXPECT_EQ(begun, 1);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
}

HAK_TEST_ISOLATED(PurgePoll, WhatIsToBeginFromATimeOnBeginsThen, ALONE) {
    hak_free(hak_alloc(16));
    told_begin(MIB);
    const uint64_t from_ms = told_now_ms + 700;
    hak_purge_start_later(begin, from_ms);
    for (unsigned i = 0; i < 3; i++) {
        HAK_EXPECT_EQ(decay_due_ms(), from_ms);
        told_poll();
        HAK_EXPECT_EQ(begun, 0);
        told_now_ms = i == 0 ? from_ms - 1 : told_now_ms;
    }
    told_now_ms = from_ms;
    told_poll();
    HAK_EXPECT_EQ(begun, 1);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
}

/* ---- Around others ---- */

HAK_TEST_ISOLATED(PurgePoll, IdleThreadsAreLookedForTenTimesASecond, "HAKMEM_PURGE_DELAY_MS=0 HAKMEM_PURGE_THREAD=0") {
    told_begin(64 * MIB);
    free_and_poll(MIB);
    HAK_EXPECT_EQ(told_idle_looks, 1);
    told_now_ms += 99;
    free_and_poll(MIB);
    HAK_EXPECT_EQ(told_idle_looks, 1);
    told_now_ms++;
    free_and_poll(30 * MIB); /* in several pieces */
    HAK_EXPECT_EQ(told_idle_looks, 2);
    (void)hak_purge_all(); /* always */
    HAK_EXPECT_EQ(told_idle_looks, 3);
}

/* What is too much goes by its age, of which half a delay is much; a thread that made no exchange for so long may still work. */
HAK_TEST_ISOLATED(PurgePoll, IdleThreadsAreNotLookedForWhereTooMuchWaits, ALONE) {
    told_begin(64 * MIB);
    free_and_poll(30 * MIB);
    EXPECT_WAITING(12 * MIB);
    HAK_EXPECT_EQ(told_idle_looks, 0);
    told_now_ms += 1001;
    told_poll();
    HAK_EXPECT_EQ(told_idle_looks, 1);
}

/* Between its pieces of 8 MiB. */
HAK_TEST_ISOLATED(PurgePoll, WhoeverPurgesMakesWayForAFork, ALONE) {
    told_begin(64 * MIB);
    told_free(24 * MIB);
    hak_purge_fork_begin();
    HAK_EXPECT_EQ(hak_purge_all(), 24 * MIB);
    HAK_EXPECT_EQ(told_yielded_ms, 4);
    hak_purge_fork_end();
    told_free(24 * MIB);
    HAK_EXPECT_EQ(hak_purge_all(), 24 * MIB);
    HAK_EXPECT_EQ(told_yielded_ms, 4);
}

HAK_TEST_ISOLATED(PurgePoll, ChildLooksAgain, ALONE) {
    told_begin(64 * MIB);
    hak_purge_fork_begin();
    hak_purge_fork_child();
    HAK_EXPECT_EQ(decay_due_ms(), 0); /* nothing waits */
    told_free(8 * MIB);
    HAK_EXPECT(hak_decay_take()); /* by a thread that the child does not have */
    hak_purge_fork_child();
    HAK_EXPECT_EQ(decay_due_ms(), told_now_ms + 1001);
    HAK_EXPECT_EQ(hak_purge_all(), 8 * MIB);
    HAK_EXPECT_EQ(told_yielded_ms, 0); /* those who wanted to fork are not there */
}
