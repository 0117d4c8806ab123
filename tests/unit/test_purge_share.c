/* SPDX-License-Identifier: MIT */
/* How much may wait beside what is in use, by itself: a program of numbers, a clock that is told, and no memory. */
#include "hakmem/process/purge_share.h"
#include "tests/harness/harness.h"

#define MIB ((size_t)1 << 20)
#define DELAY_MS 750

struct program {
    struct purge_share share;
    uint64_t now_ms;
    size_t in_use, waiting, purged;
};

static struct program begin(size_t in_use) {
    struct program program = {.now_ms = 1000000, .in_use = in_use};
    hak_purge_share_begin(&program.share, program.now_ms, in_use);
    return program;
}

/* What a nudge leads to. Result: what goes back. */
static size_t look(struct program *program) {
    const size_t excess =
        hak_purge_share_excess(&program->share, program->now_ms, DELAY_MS, program->in_use, program->waiting);
    hak_purge_share_spend(&program->share, excess);
    program->waiting -= excess;
    program->purged += excess;
    return excess;
}

static bool is_to_look(const struct program *program, size_t look_at) {
    return program->in_use + program->waiting > look_at;
}

/* Replaces so much within so many milliseconds, and finds no use for what it freed. */
static void drift(struct program *program, size_t bytes, unsigned duration_ms) {
    size_t look_at = hak_purge_share_look_at(&program->share, program->in_use + program->waiting);
    for (unsigned ms = 0; ms < duration_ms; ms++) {
        program->now_ms++;
        program->waiting += bytes / duration_ms;
        if (is_to_look(program, look_at)) {
            HAK_EXPECT_GT(look(program), 0);
            look_at = hak_purge_share_look_at(&program->share, program->in_use + program->waiting);
        }
    }
}

/* Of the thread before it nothing is left that was in use then. */
HAK_TEST(PurgeShare, AThreadThatBeginsKnowsOfNoFormerUse) {
    struct purge_share share = {.most = {800 * MIB, 900 * MIB}, .period_ms = 7};
    hak_purge_share_begin(&share, 1000000, 100 * MIB);
    HAK_EXPECT_EQ(share.most[0], 100 * MIB);
    HAK_EXPECT_EQ(share.most[1], 0);
    HAK_EXPECT_EQ(share.period_ms, 1000000);
}

HAK_TEST(PurgeShare, WhatWaitsWhileSizesDriftIsBounded) {
    struct program program = begin(800 * MIB);
    for (unsigned round = 0; round < 100; round++) {
        drift(&program, 30 * MIB, 1000);
        HAK_EXPECT_LE(program.waiting, 800 * MIB / PURGE_SHARE + MIB);
        HAK_EXPECT_GE(program.waiting, round < 4 ? 0 : 800 * MIB / PURGE_SHARE / 2);
    }
    HAK_EXPECT_GE(program.purged, 2800 * MIB);
}

HAK_TEST(PurgeShare, LittleMayAlwaysWait) {
    struct program program = begin(MIB);
    program.waiting = PURGE_SHARE_LEAST;
    HAK_EXPECT_EQ(look(&program), 0);
    program.waiting = PURGE_SHARE_LEAST + 2 * MIB;
    HAK_EXPECT_GT(look(&program), 0);
    HAK_EXPECT_LE(program.waiting, PURGE_SHARE_LEAST);
}

/* All of it, each time for most of a delay. */
HAK_TEST(PurgeShare, WhatWasInUseWithinADelayMayWait) {
    struct program program = begin(0);
    for (unsigned round = 0; round < 20; round++) {
        program.in_use = 300 * MIB;
        program.waiting = 0;
        HAK_EXPECT_EQ(look(&program), 0);
        program.now_ms += DELAY_MS / 2;
        program.in_use = 0;
        program.waiting = 300 * MIB;
        HAK_EXPECT_EQ(look(&program), 0);
        program.now_ms += DELAY_MS / 2;
        HAK_EXPECT_EQ(look(&program), 0);
    }
}

HAK_TEST(PurgeShare, WhatWasInUseLongAgoDoesNotCount) {
    struct program program = begin(300 * MIB);
    program.in_use = 10 * MIB;
    program.waiting = 290 * MIB;
    HAK_EXPECT_EQ(look(&program), 0);
    program.now_ms += DELAY_MS + 1;
    HAK_EXPECT_EQ(look(&program), 0); /* within the period before */
    program.now_ms += DELAY_MS + 1;
    HAK_EXPECT_GT(look(&program), 0);
    /* Only as far as the allowance goes, which is as much as is in use now. */
    HAK_EXPECT_LE(program.purged, 300 * MIB);
}

/* Where nobody looks for two delays nothing of before counts, and a moment earlier it all does. */
HAK_TEST(PurgeShare, WhatWasInUseTwoDelaysAgoIsForgotten) {
    for (unsigned more_ms = 0; more_ms < 2; more_ms++) {
        struct program program = begin(300 * MIB);
        program.in_use = 10 * MIB;
        program.waiting = 290 * MIB;
        program.now_ms += 2 * DELAY_MS + more_ms;
        HAK_EXPECT_EQ(look(&program) > 0, more_ms == 1);
    }
}

/* A program that replaces all of it in a hundredth of a second. */
HAK_TEST(PurgeShare, AllowanceBoundsWhatGoesBack) {
    struct program program = begin(200 * MIB);
    for (unsigned round = 0; round < 1000; round++) {
        program.now_ms += 10;
        program.waiting += 200 * MIB;
        look(&program);
        program.waiting = 0; /* and finds use for the rest */
    }
    HAK_EXPECT_LE(program.purged, 200 * MIB + 10000 * PURGE_SHARE_PER_MS);
    HAK_EXPECT_GE(program.purged, 10000 * PURGE_SHARE_PER_MS / 2);
}

HAK_TEST(PurgeShare, NobodyLooksWhileTheAllowanceIsUsedUp) {
    struct program program = begin(100 * MIB);
    program.waiting = 400 * MIB;
    HAK_EXPECT_GT(look(&program), 0);
    HAK_EXPECT_EQ(look(&program), 0);
    HAK_EXPECT_EQ(hak_purge_share_look_at(&program.share, program.in_use + program.waiting), SIZE_MAX);
    program.now_ms += 2 * PURGE_SHARE_PASS / PURGE_SHARE_PER_MS;
    HAK_EXPECT_GT(look(&program), 0);
}

/* Else each poll would wake the thread in vain. */
HAK_TEST(PurgeShare, WhatTheSystemDoesNotTakeIsNotAskedForAgainAtOnce) {
    struct program program = begin(100 * MIB);
    program.waiting = 200 * MIB;
    const size_t excess =
        hak_purge_share_excess(&program.share, program.now_ms, DELAY_MS, program.in_use, program.waiting);
    HAK_EXPECT_GT(excess, 0);
    const size_t committed = program.in_use + program.waiting;
    HAK_EXPECT_GE(hak_purge_share_look_at(&program.share, committed), committed + MIB);
}

/* Two looks of the same moment. */
static size_t excess_of(struct program *program) {
    return hak_purge_share_excess(&program->share, program->now_ms, DELAY_MS, program->in_use, program->waiting);
}

/* What is more than the most and an eighth of it goes, and a quarter of that eighth. */
HAK_TEST(PurgeShare, AQuarterMoreGoesThanIsTooMuch) {
    struct program program = begin(800 * MIB);
    program.waiting = 100 * MIB;
    HAK_EXPECT_EQ(excess_of(&program), 0);
    program.waiting = 100 * MIB + 1;
    HAK_EXPECT_EQ(excess_of(&program), 25 * MIB + 1);
    program.waiting = 150 * MIB;
    HAK_EXPECT_EQ(excess_of(&program), 75 * MIB);
    HAK_EXPECT_EQ(hak_purge_share_look_at(&program.share, 900 * MIB), 900 * MIB);
    HAK_EXPECT_EQ(hak_purge_share_look_at(&program.share, 900 * MIB + 1), 925 * MIB + 1);
}

/* Less than a pass is worth does not go, and nobody looks for it. */
HAK_TEST(PurgeShare, ThePassIsWorthAMiB) {
    struct program program = begin(800 * MIB);
    program.waiting = 400 * MIB;
    HAK_EXPECT_GT(excess_of(&program), 0);
    hak_purge_share_spend(&program.share, 799 * MIB);
    HAK_EXPECT_EQ(excess_of(&program), MIB);
    HAK_EXPECT_LT(hak_purge_share_look_at(&program.share, 0), SIZE_MAX);
    hak_purge_share_spend(&program.share, 1);
    HAK_EXPECT_EQ(excess_of(&program), 0);
    HAK_EXPECT_EQ(hak_purge_share_look_at(&program.share, 0), SIZE_MAX);
}

/* By 64 KiB a millisecond, or a 16th of what is in use a second, up to all of it. */
HAK_TEST(PurgeShare, AllowanceGrowsWithTime) {
    const size_t in_use[] = {200 * MIB, 4096 * MIB}, a_ms[] = {64 << 10, 256 << 10};
    for (unsigned i = 0; i < 2; i++) {
        struct program program = begin(in_use[i]);
        HAK_EXPECT_EQ(program.share.allowance, in_use[i]);
        hak_purge_share_spend(&program.share, 10 * a_ms[i] + 5);
        program.now_ms += 9;
        (void)excess_of(&program);
        HAK_EXPECT_EQ(program.share.allowance, in_use[i] - a_ms[i] - 5);
        program.now_ms++;
        (void)excess_of(&program);
        HAK_EXPECT_EQ(program.share.allowance, in_use[i] - 5);
        program.now_ms++;
        (void)excess_of(&program);
        HAK_EXPECT_EQ(program.share.allowance, in_use[i]);
    }
}

/* A period is one delay, and not over before that. */
HAK_TEST(PurgeShare, APeriodEndsWithTheDelay) {
    struct program program = begin(300 * MIB);
    const uint64_t begin_ms = program.now_ms;
    program.in_use = 10 * MIB;
    program.now_ms += DELAY_MS;
    (void)excess_of(&program);
    HAK_EXPECT_EQ(program.share.period_ms, begin_ms);
    program.now_ms++;
    (void)excess_of(&program);
    HAK_EXPECT_EQ(program.share.period_ms, program.now_ms);
    HAK_EXPECT_EQ(program.share.most[0], 10 * MIB);
    HAK_EXPECT_EQ(program.share.most[1], 300 * MIB);
}
