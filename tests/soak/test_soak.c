/* SPDX-License-Identifier: MIT */
/* The long run, short: counted by cycles and not by time, so that a slow machine does no less. */
#include "tests/harness/harness.h"
#include "tests/soak/slope.h"
#include "tests/soak/soak.h"

#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
#define JUDGES_RESIDENT false
#else
#define JUDGES_RESIDENT true
#endif

/* With fewer nothing is said of a drift: see slope_rises. */
#define DRIFT_CYCLES 11

static void expect_nothing_wrong(uint64_t seed, unsigned cycles) {
    const struct soak_options options = {
        .seed = seed, .cycles = cycles, .operations = HAK_TEST_SCALE(2000), .judges_resident = JUDGES_RESIDENT};
    const struct soak_result result = soak_run(&options);
    HAK_EXPECT_EQ(result.failures, 0);
    HAK_EXPECT_EQ(result.cycles, cycles);
    /* Each phase, and three times as memory is freed; a child in each phase, and one in the pause. */
    HAK_EXPECT_EQ(result.pauses, cycles * 10);
    HAK_EXPECT_EQ(result.children, cycles * 8);
}

HAK_TEST_ISOLATED(Soak, NothingIsLostAndNothingDrifts, "") { expect_nothing_wrong(1, DRIFT_CYCLES); }

HAK_TEST_ISOLATED(Soak, NothingIsLostWhereMemoryGoesBackAtOnce, "HAKMEM_PURGE_DELAY_MS=0") {
    expect_nothing_wrong(2, 1);
}

HAK_TEST_ISOLATED(Soak, NothingIsLostWhereMemoryNeverGoesBack, "HAKMEM_PURGE_DELAY_MS=-1") {
    expect_nothing_wrong(3, 1);
}

HAK_TEST_ISOLATED(Soak, NothingIsLostWithoutAThreadOfItsOwn, "HAKMEM_PURGE_THREAD=0") { expect_nothing_wrong(4, 1); }

HAK_TEST_ISOLATED(Soak, NothingIsLostWhileItIsPublished, "HAKMEM_PUBLISH=1 HAKMEM_THP=never") {
    expect_nothing_wrong(5, 1);
}

HAK_TEST(Slope, IsThatOfMostValuesWhateverTheOthersAre) {
    static struct slope slope;
    for (unsigned i = 0; i < 101; i++) slope_add(&slope, i % 5 == 4 ? 1e9 : 1000 + 2.0 * i);
    HAK_EXPECT(slope_growth(&slope) > 199 && slope_growth(&slope) < 260);
}

HAK_TEST(Slope, IsNoneOfValuesThatStay) {
    static struct slope slope;
    for (unsigned i = 0; i < 60; i++) slope_add(&slope, i % 3 == 0 ? 900 : i % 3 == 1 ? 1000 : 1100);
    HAK_EXPECT(slope_growth(&slope) < 60 && slope_growth(&slope) > -60);
}

HAK_TEST(Slope, RisesMoreThanByChance) {
    static struct slope slope;
    for (unsigned i = 0; i < 7; i++) slope_add(&slope, i);
    HAK_EXPECT(!slope_rises(&slope)); /* too few */
    slope_add(&slope, 7);
    HAK_EXPECT(slope_rises(&slope));
    slope_add(&slope, 0);
    HAK_EXPECT(!slope_rises(&slope));
}

/* A drift of a value a step in noise of 40, and none. */
HAK_TEST(Slope, RisesInNoise) {
    static struct slope with, without, falling;
    for (unsigned i = 0; i < 100; i++) {
        const double noise = i * 17 % 40;
        slope_add(&with, i + noise);
        slope_add(&without, noise);
        slope_add(&falling, noise - i);
    }
    HAK_EXPECT(slope_rises(&with));
    HAK_EXPECT(!slope_rises(&without));
    HAK_EXPECT(!slope_rises(&falling));
}

HAK_TEST(Slope, IsTheSameWhenValuesAreDropped) {
    static struct slope slope;
    for (unsigned i = 0; i < 10 * SLOPE_MOST; i++) slope_add(&slope, i);
    HAK_EXPECT(slope_growth(&slope) > 9 * SLOPE_MOST && slope_growth(&slope) <= 10 * SLOPE_MOST);
}
