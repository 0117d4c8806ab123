/* SPDX-License-Identifier: MIT */
/* Size to class in the tiny pool: the table against the comparison chain, for every size, and both against
 * what a class has to be. Runs under each spacing of the classes and each size of the table. */
#include <stdint.h>
#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "tests/harness/harness.h"

HAK_TEST(TinySizeClass, TableEqualsComparisonChain) {
    for (size_t size = 0; size <= HAK_TINY_MAX; size++)
        HAK_EXPECT_EQ(hak_tiny_size_to_class_fast(size), hak_tiny_size_to_class(size));
}

/* The powers of two from 8 on, one class each, counted without shifts or tables. */
HAK_TEST(TinySizeClass, Pow2ClassesAreThePowersOfTwoFromEight) {
    if (strcmp(hak_classes_string(), "pow2") != 0) HAK_SKIP("another spacing");
    int class_index = 0;
    size_t block_size = 8;
    for (size_t size = 0; size <= HAK_TINY_MAX; size++) {
        if (size > block_size) {
            class_index += 1;
            block_size += block_size;
        }
        HAK_EXPECT_EQ(hak_tiny_size_to_class(size), class_index);
        HAK_EXPECT_EQ(hak_tiny_size_to_class_fast(size), class_index);
    }
    HAK_EXPECT_EQ(class_index, 7);
}

HAK_TEST(TinySizeClass, SizesAboveThePoolHaveNoClass) {
    const size_t above[] = {HAK_TINY_MAX + 1, HAK_TINY_MAX + 8, 4096, (size_t)1 << 32, PTRDIFF_MAX, SIZE_MAX};
    for (size_t i = 0; i < sizeof above / sizeof *above; i++) {
        HAK_EXPECT_EQ(hak_tiny_size_to_class(above[i]), -1);
        HAK_EXPECT_EQ(hak_tiny_size_to_class_fast(above[i]), -1);
    }
}

/* The class of the tiny pool's public numbering, which begins at 0, among all classes. */
static bool tiny_stats(int tiny_class, struct hak_class_stats *stats) {
    return hak_class_get_stats((unsigned)tiny_class + 1, stats);
}

HAK_TEST(TinySizeClass, ClassIsTheSmallestThatHoldsTheSize) {
    struct hak_class_stats stats, smaller;
    for (size_t size = 0; size <= HAK_TINY_MAX; size++) {
        int class_index = hak_tiny_size_to_class(size);
        HAK_ASSERT_TRUE(tiny_stats(class_index, &stats));
        HAK_EXPECT_GE(stats.block_size, size);
        if (class_index == 0) continue;
        HAK_ASSERT_TRUE(tiny_stats(class_index - 1, &smaller));
        HAK_EXPECT_LT(smaller.block_size, size);
    }
}

/* A size of k * 8 + 1 bytes or more, above 64, leaves at most an eighth of its block unused. */
HAK_TEST(TinySizeClass, FineClassesWasteAtMostAnEighth) {
    if (strcmp(hak_classes_string(), "fine") != 0) HAK_SKIP("another spacing");
    struct hak_class_stats stats;
    for (size_t size = 65; size <= HAK_TINY_MAX; size++) {
        HAK_ASSERT_TRUE(tiny_stats(hak_tiny_size_to_class_fast(size), &stats));
        HAK_EXPECT_LE((stats.block_size - size) * 8, stats.block_size);
    }
}

HAK_TEST(TinySizeClass, StatsExistForClassesOnly) {
    struct hak_class_stats stats;
    memset(&stats, 0xA5, sizeof stats);
    const struct hak_class_stats untouched = stats;
    HAK_EXPECT(!hak_class_get_stats(0, &stats));
    HAK_EXPECT(!hak_class_get_stats(hak_class_count(), &stats));
    HAK_EXPECT(!hak_class_get_stats(UINT32_MAX, &stats));
    HAK_EXPECT_EQ(memcmp(&stats, &untouched, sizeof stats), 0);
    HAK_EXPECT(tiny_stats(0, &stats));
    HAK_EXPECT_EQ(stats.block_size, HAK_GUARD_EXACT || hak_table_granularity() == 16 ? 16 : 8);
    HAK_EXPECT(tiny_stats(hak_tiny_size_to_class(HAK_TINY_MAX), &stats));
    HAK_EXPECT_EQ(stats.block_size, HAK_TINY_MAX);
    HAK_EXPECT(hak_class_get_stats(hak_class_count() - 1, &stats));
}
