/* SPDX-License-Identifier: MIT */
/* What may wait where no thread purges, to the byte, and what is learned of what is taken back. By a clock that is told. */
#include "hakmem/process/purge.h"
#include "hakmem/process/purge_bound.h"
#include "hakmem/region/held.h"
#include "hakmem/region/region.h"
#include "tests/harness/harness.h"
#include "tests/unit/told_purge.h"

#define MIB TOLD_MIB
#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define ALONE "HAKMEM_PURGE_DELAY_MS=1000 HAKMEM_PURGE_THREAD=0"

static void free_and_poll(size_t bytes) {
    told_free(bytes);
    told_poll();
}

#define EXPECT_WAITING(bytes) HAK_EXPECT_EQ(hak_purge_waiting_bytes(), bytes)

/* 16 MiB; when more waits, what is too much beside 12 MiB goes, in whole huge pages. */
HAK_TEST_ISOLATED(PurgeBound, SixteenMiBMayWait, ALONE) {
    told_begin(64 * MIB);
    for (unsigned mib = 1; mib <= 16; mib++) {
        free_and_poll(MIB);
        EXPECT_WAITING(mib * MIB);
    }
    free_and_poll(CHUNK);
    EXPECT_WAITING(10 * MIB + CHUNK); /* of the 4 MiB and a chunk that are too much 6 MiB */
    HAK_EXPECT_EQ(told_thread.asked, 0);
}

/* 2 MiB in the child of a fork, whatever its parent had learned; or as much as is in use, where that is more than 8 MiB. */
HAK_TEST_ISOLATED(PurgeBound, LessMayWaitInAChild, ALONE) {
    told_begin(256 * MIB);
    free_and_poll(18 * MIB);
    free_and_poll(4 * MIB);
    free_and_poll(16 * MIB);
    EXPECT_WAITING(32 * MIB); /* learned */
    HAK_EXPECT_EQ(hak_purge_all(), 32 * MIB);
    hak_purge_fork_child();
    hak_held_add(8 * MIB);
    free_and_poll(2 * MIB);
    EXPECT_WAITING(2 * MIB);
    free_and_poll(CHUNK);
    EXPECT_WAITING(CHUNK); /* of the half MiB and a chunk that are too much 2 MiB, a whole huge page */
    hak_held_add(CHUNK);
    free_and_poll(8 * MIB);
    EXPECT_WAITING(8 * MIB + CHUNK);
}

/* As much as is in use, if that is more. */
HAK_TEST_ISOLATED(PurgeBound, AsMuchMayWaitAsIsInUse, ALONE) {
    hak_held_add(40 * MIB);
    told_begin(64 * MIB);
    free_and_poll(40 * MIB);
    EXPECT_WAITING(40 * MIB);
    /* 11 MiB are too much; but a call gives back twice what came at most, and 8 MiB. */
    free_and_poll(MIB);
    EXPECT_WAITING(31 * MIB);
}

HAK_TEST_ISOLATED(PurgeBound, WhoFreesMuchPaysForIt, ALONE) {
    told_begin(128 * MIB);
    free_and_poll(100 * MIB);
    EXPECT_WAITING(12 * MIB);
}

/* What is taken back within the delay, half of what was given at least, may wait from then on: twice the bound. */
HAK_TEST_ISOLATED(PurgeBound, WhatIsTakenBackAtOnceMayWait, ALONE) {
    told_begin(256 * MIB);
    free_and_poll(18 * MIB);
    EXPECT_WAITING(12 * MIB); /* 6 went */
    hak_held_add(3 * MIB);
    told_now_ms += 1000;
    free_and_poll(2 * MIB); /* 14 wait and 3 are in use: 12, and 5 of 6 */
    EXPECT_WAITING(14 * MIB);
    free_and_poll(18 * MIB);
    EXPECT_WAITING(32 * MIB); /* they may */
    free_and_poll(CHUNK);
    EXPECT_WAITING(22 * MIB + CHUNK); /* a quarter less than 32, which is 8 and a chunk, in whole huge pages */
}

HAK_TEST_ISOLATED(PurgeBound, WhatIsTakenBackInPartMayNotWait, ALONE) {
    told_begin(256 * MIB);
    free_and_poll(18 * MIB);
    EXPECT_WAITING(12 * MIB);
    free_and_poll(3 * MIB); /* half of 6, and no more than that */
    EXPECT_WAITING(15 * MIB);
    free_and_poll(3 * MIB); /* now it is learned, after the bound was looked at */
    EXPECT_WAITING(12 * MIB);
    free_and_poll(20 * MIB);
    EXPECT_WAITING(32 * MIB);
}

HAK_TEST_ISOLATED(PurgeBound, WhatIsTakenBackLateMayNotWait, ALONE) {
    told_begin(256 * MIB);
    free_and_poll(18 * MIB);
    hak_held_add(9 * MIB);
    told_now_ms += 1001;
    told_poll(); /* too late; and 8 MiB are due */
    EXPECT_WAITING(4 * MIB);
    free_and_poll(12 * MIB); /* and these 4 */
    EXPECT_WAITING(12 * MIB);
    free_and_poll(4 * MIB);
    EXPECT_WAITING(16 * MIB);
    free_and_poll(CHUNK);
    EXPECT_WAITING(10 * MIB + CHUNK);
}

/* What nobody wanted for a whole delay, more than a quarter of what may wait, halves that. */
static void expect_to_wait_after(size_t aged, size_t may_wait) {
    told_begin(512 * MIB);
    free_and_poll(18 * MIB);
    free_and_poll(4 * MIB);
    free_and_poll(16 * MIB);
    EXPECT_WAITING(32 * MIB);
    HAK_EXPECT_EQ(hak_purge_all(), 32 * MIB);
    told_poll(); /* and sees that nothing waits, so that all of the next is its to purge */
    told_skip(MIB);
    told_free(aged);
    told_now_ms += 1001;
    told_poll();
    EXPECT_WAITING(0);
    free_and_poll(may_wait);
    EXPECT_WAITING(may_wait);
    free_and_poll(CHUNK);
    EXPECT_WAITING(may_wait - may_wait / 4 - 2 * MIB + CHUNK);
}

HAK_TEST_ISOLATED(PurgeBound, AQuarterThatAgesChangesNothing, ALONE) { expect_to_wait_after(8 * MIB, 32 * MIB); }

HAK_TEST_ISOLATED(PurgeBound, WhereMoreThanAQuarterAgesLessMayWait, ALONE) {
    hak_held_add(12 * MIB); /* less than the half */
    expect_to_wait_after(8 * MIB + CHUNK, 16 * MIB);
}

/* The more the program takes back at once the more may wait, up to 256 MiB beside little that is in use. */
HAK_TEST_ISOLATED(PurgeBound, NoMoreThan256MiBIsLearned, ALONE) {
    size_t may_wait = 16 * MIB;
    told_begin(8192 * MIB);
    for (unsigned round = 0; round < 5; round++) {
        free_and_poll(may_wait + 2 * MIB - hak_purge_waiting_bytes());
        EXPECT_WAITING(may_wait * 3 / 4); /* the rest and 2 MiB went */
        free_and_poll(may_wait / 4);      /* half of that at least is back: it is learned */
        may_wait = 2 * may_wait < 256 * MIB ? 2 * may_wait : 256 * MIB;
    }
    HAK_EXPECT_EQ(may_wait, 256 * MIB);
    EXPECT_WAITING(256 * MIB);
    free_and_poll(2 * MIB); /* 66 MiB are too much; twice what came and 8 MiB go */
    EXPECT_WAITING(246 * MIB);
}

/* The program frees so much of what it uses. */
static void give(size_t bytes) {
    hak_held_subtract(bytes);
    free_and_poll(bytes);
}

/* It uses so much more, none of which has waited. */
static void take(size_t bytes) {
    hak_held_add(bytes);
    told_poll();
}

/* What went back ends where something is taken: half of the last time's is enough, and of all that ever went it need not be. */
HAK_TEST_ISOLATED(PurgeBound, WhoGivesAndTakesByTurnsMayKeepIt, ALONE) {
    told_begin(256 * MIB);
    hak_held_add(40 * MIB);
    free_and_poll(40 * MIB);
    give(2 * MIB);
    EXPECT_WAITING(30 * MIB); /* 12 went */
    take(4 * MIB);            /* a third of that */
    give(10 * MIB);
    EXPECT_WAITING(24 * MIB); /* 16 went */
    take(9 * MIB);            /* more than half of these, and less than half of the 28 */
    free_and_poll(58 * MIB);
    EXPECT_WAITING(82 * MIB); /* twice what is in use */
}

/* What goes back in several polls is one: half of what the last of them gave is not enough. */
HAK_TEST_ISOLATED(PurgeBound, SeveralPollsGiveBackOnce, ALONE) {
    told_begin(256 * MIB);
    hak_held_add(60 * MIB);
    free_and_poll(60 * MIB);
    hak_held_subtract(60 * MIB);
    for (unsigned poll = 1; poll <= 6; poll++) {
        told_poll();
        EXPECT_WAITING((60 - 8 * poll) * MIB);
    }
    take(6 * MIB);
    free_and_poll(6 * MIB);
    EXPECT_WAITING(12 * MIB); /* 18 may not wait */
}

/* What went long ago is no part of what goes now: half of this is enough. */
HAK_TEST_ISOLATED(PurgeBound, WhatWasGivenLongAgoIsForgotten, ALONE) {
    told_begin(512 * MIB);
    hak_held_add(40 * MIB);
    free_and_poll(40 * MIB);
    give(2 * MIB);
    EXPECT_WAITING(30 * MIB); /* 12 went */
    told_now_ms += 1001;
    for (unsigned poll = 0; poll < 6; poll++) told_poll(); /* the delay is over: all is due */
    EXPECT_WAITING(0);
    told_skip(MIB);
    hak_held_subtract(20 * MIB);
    free_and_poll(20 * MIB);
    EXPECT_WAITING(12 * MIB); /* 8 went, of 18 that may wait */
    take(5 * MIB);            /* more than half of 8, less than half of 12 + 8 */
    free_and_poll(33 * MIB);
    EXPECT_WAITING(45 * MIB); /* twice the 23 that are in use may */
}

/* A child has given nothing, and learns nothing of what its parent gave. */
HAK_TEST_ISOLATED(PurgeBound, ChildHasGivenNothing, ALONE) {
    told_begin(256 * MIB);
    free_and_poll(18 * MIB);
    EXPECT_WAITING(12 * MIB); /* 6 went */
    hak_purge_fork_child();
    HAK_EXPECT_EQ(hak_purge_all(), 12 * MIB);
    told_skip(MIB);
    hak_held_add(20 * MIB); /* 8 more than the level at that time */
    told_poll();
    hak_held_subtract(20 * MIB);
    free_and_poll(4 * MIB);
    EXPECT_WAITING(0); /* of 2 that may wait half a MiB and 2 more are too much, in whole huge pages */
}

/* Who takes half of much again may keep as much more as that was. */
HAK_TEST_ISOLATED(PurgeBound, AsMuchMoreMayWaitAsWasGiven, ALONE) {
    told_begin(512 * MIB);
    free_and_poll(100 * MIB);
    EXPECT_WAITING(12 * MIB); /* 88 went */
    take(45 * MIB);
    hak_held_subtract(45 * MIB);
    free_and_poll(121 * MIB);
    EXPECT_WAITING(133 * MIB); /* the 45 that were in use, and 88 */
    free_and_poll(CHUNK);
    EXPECT_WAITING(123 * MIB + CHUNK); /* a poll gives 8 MiB and two chunks, in whole huge pages */
}
