/* SPDX-License-Identifier: MIT */
/* A thread that spends much on samples takes fewer of them, and the estimates stay what they should be.
 *
 * The clock is the test's, so that the same samples are taken on any machine. */
#include <math.h>
#include <stdint.h>

#include "hakmem/hakmem.h"
#include "hakmem/sample/chance.h"
#include "hakmem/sample/profile.h"
#include "hakmem/sample/thinning.h"
#include "tests/harness/harness.h"
#include "tests/unit/profile_sum.h"

static uint64_t now_ms = 1000000;

uint64_t __wrap_hak_os_clock_ms(void);

uint64_t __wrap_hak_os_clock_ms(void) { return now_ms; }

static unsigned note(struct hak_thread_chance *chance, unsigned count, unsigned cost) {
    for (unsigned i = 0; i < count; i++) hak_thinning_note(chance, cost, now_ms);
    return chance->thinning;
}

HAK_TEST(Thinning, FollowsWhatIsSpentInAPeriod) {
    struct hak_thread_chance chance = {.since_ms = now_ms};
    HAK_EXPECT_EQ(note(&chance, THINNING_SPENT - 1, THINNING_FOUND), 0);
    HAK_EXPECT_EQ(note(&chance, 1, THINNING_FOUND), THINNING_STEP);
    HAK_EXPECT_EQ(note(&chance, THINNING_SPENT / THINNING_UNWOUND - 1, THINNING_UNWOUND), THINNING_STEP);
    HAK_EXPECT_EQ(note(&chance, 1, THINNING_UNWOUND), 2 * THINNING_STEP);
    HAK_EXPECT_EQ(note(&chance, 100 * THINNING_SPENT, THINNING_FOUND), THINNING_MOST);
}

/* A thread that would take `raw` samples a millisecond without thinning: what it takes in the end, a millisecond. */
static double settled(double raw) {
    struct hak_thread_chance chance = {.since_ms = now_ms};
    double due = 0, taken = 0;
    for (unsigned ms = 0; ms < 2000; ms++) {
        now_ms++;
        due += raw / (1u << chance.thinning);
        for (; due >= 1; due--) {
            if (ms >= 1000) taken++;
            hak_thinning_note(&chance, THINNING_FOUND, now_ms);
        }
    }
    return taken / 1000;
}

HAK_TEST(Thinning, BoundsWhatSamplesCost) {
    const double most = (double)THINNING_SPENT / THINNING_PERIOD_MS;
    for (double raw = 0.01; raw < most * (1 << THINNING_MOST); raw *= 1.1) {
        const double taken = settled(raw);
        HAK_EXPECT(taken <= 1.1 * most);
        /* No more than it takes: where all samples are within half the bound, all are taken. */
        HAK_EXPECT(taken >= (raw < most / 2 ? 0.9 * raw : most / 16));
    }
}

HAK_TEST(Thinning, ForgetsStepByStepAndAfterASecondAtOnce) {
    struct hak_thread_chance chance = {.since_ms = now_ms, .thinning = THINNING_MOST};
    now_ms += THINNING_PERIOD_MS - 1;
    HAK_EXPECT_EQ(note(&chance, 1, THINNING_FOUND), THINNING_MOST);
    now_ms += 1;
    HAK_EXPECT_EQ(note(&chance, 1, THINNING_FOUND), THINNING_MOST - THINNING_STEP);
    now_ms += THINNING_FORGET_MS;
    HAK_EXPECT_EQ(note(&chance, 1, THINNING_FOUND), 0);
}

#define SIZE 262144
#define BLOCKS 100000

/* Takes and frees blocks of that site: samples taken of them. */
static uint64_t churn(unsigned site, unsigned blocks) {
    const uint64_t before = sum_of(SITE(site)).samples;
    for (unsigned i = 0; i < blocks; i++) {
        void *p = hak_alloc_at(SIZE, SITE(site));
        HAK_EXPECT(p != NULL);
        hak_free(p);
    }
    return sum_of(SITE(site)).samples - before;
}

HAK_TEST(Thinning, EstimatesStayUnbiasedWhileAThreadThinsOut) {
    if (HAK_GUARD_FULL) HAK_SKIP("guard full has no profile");
    double sum = 0, variance = 0;
    for (unsigned trial = 0; trial < 20; trial++) {
        HAK_ASSERT_TRUE(hak_profile_start(0) == 0);
        hak_profile_seed(trial + 1);
        const double before = sum_of(SITE(10)).allocations;
        const uint64_t samples = churn(10, BLOCKS);
        /* Far fewer than the two in five of the default rate, and not none. */
        HAK_EXPECT_LT(samples, BLOCKS / 50);
        HAK_EXPECT_GT(samples, 4 * THINNING_SPENT);
        sum += sum_of(SITE(10)).allocations - before;
        /* Most blocks count by the last rate. */
        variance += BLOCKS / hak_chance_of(SIZE, PROFILE_RATE_DEFAULT << THINNING_MOST);
        hak_profile_stop();
        HAK_EXPECT_EQ(sum_of(SITE(10)).live_samples, 0);
    }
    HAK_EXPECT(fabs(sum - 20.0 * BLOCKS) <= 5 * sqrt(variance));
}

/* A sample counts by the thinning of the moment when it was drawn, whatever other classes have done since. */
HAK_TEST(Thinning, EachClassCountsByItsOwnDraw) {
    if (HAK_GUARD_FULL) HAK_SKIP("guard full has no profile");
    double sum = 0, variance = 0;
    for (unsigned trial = 0; trial < 20; trial++) {
        HAK_ASSERT_TRUE(hak_profile_start(0) == 0);
        hak_profile_seed(trial + 1);
        const double before = sum_of(SITE(14)).allocations;
        for (unsigned i = 0; i < 500; i++) {
            hak_free(hak_alloc_at(50000, SITE(14)));
            if (i == 0) churn(10, BLOCKS / 2);
        }
        sum += sum_of(SITE(14)).allocations - before;
        variance += 500 / hak_chance_of(50000, PROFILE_RATE_DEFAULT << THINNING_MOST);
        hak_profile_stop();
    }
    HAK_EXPECT(fabs(sum - 20.0 * 500) <= 2 * sqrt(variance));
}

/* A large one is sampled however busy the thread is. */
HAK_TEST(Thinning, HugeBlocksAreThinnedOutLess) {
    enum { HUGE_BLOCKS = 4000 };
    const size_t huge = (size_t)2 << 20;
    if (HAK_GUARD_FULL) HAK_SKIP("guard full has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(0) == 0);
    hak_profile_seed(1);
    churn(10, BLOCKS);
    struct sum before = sum_of(SITE(15));
    for (unsigned i = 0; i < HUGE_BLOCKS; i++) hak_free(hak_alloc_at(huge, SITE(15)));
    struct sum after = sum_of(SITE(15));
    const double p = hak_chance_of(huge, PROFILE_RATE_DEFAULT << THINNING_HUGE_MOST);
    const double samples = (double)(after.samples - before.samples), made = after.allocations - before.allocations;
    HAK_EXPECT(fabs(samples - HUGE_BLOCKS * p) <= 5 * sqrt(HUGE_BLOCKS * p * (1 - p)) + 1);
    HAK_EXPECT(fabs(made - HUGE_BLOCKS) <= 5 * sqrt(HUGE_BLOCKS * (1 - p) / p));
    before = sum_of(SITE(16));
    for (unsigned i = 0; i < 20; i++) hak_free(hak_alloc_at((size_t)100 << 20, SITE(16)));
    HAK_EXPECT_GE(sum_of(SITE(16)).samples - before.samples, 19);
    hak_profile_stop();
}

HAK_TEST(Thinning, AThreadOfHugeBlocksAloneThinsOut) {
    if (HAK_GUARD_FULL) HAK_SKIP("guard full has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(0) == 0);
    hak_profile_seed(1);
    for (unsigned i = 0; i < 4000; i++) hak_free(hak_alloc_at((size_t)2 << 20, SITE(17)));
    HAK_EXPECT_LT(sum_of(SITE(17)).samples, 2000);
    HAK_EXPECT_GT(sum_of(SITE(17)).samples, 2 * THINNING_SPENT);
    hak_profile_stop();
}

HAK_TEST(Thinning, AnotherRateThanTheDefaultIsKept) {
    if (HAK_GUARD_FULL) HAK_SKIP("guard full has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(PROFILE_RATE_DEFAULT - 1) == 0);
    const double p = hak_chance_of(SIZE, PROFILE_RATE_DEFAULT - 1), wanted = 20000 * p;
    HAK_EXPECT(fabs((double)churn(11, 20000) - wanted) <= 5 * sqrt(wanted * (1 - p)));
    hak_profile_stop();
}

HAK_TEST(Thinning, AThreadThatSlowsDownTakesAllSamplesAgain) {
    if (HAK_GUARD_FULL) HAK_SKIP("guard full has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(0) == 0);
    churn(12, BLOCKS);
    /* The next sample was drawn before, so it comes late. */
    for (unsigned i = 0; i < 20; i++) {
        now_ms += THINNING_FORGET_MS;
        churn(12, 500);
    }
    /* 25 blocks a millisecond and ten samples: not a third of what it may take. */
    uint64_t samples = 0;
    for (unsigned ms = 0; ms < 400; ms++) {
        now_ms++;
        samples += churn(13, 25);
    }
    const double p = hak_chance_of(SIZE, PROFILE_RATE_DEFAULT), wanted = 10000 * p;
    HAK_EXPECT(fabs((double)samples - wanted) <= 5 * sqrt(wanted * (1 - p)));
    hak_profile_stop();
}
