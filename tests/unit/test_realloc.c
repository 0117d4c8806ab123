/* SPDX-License-Identifier: MIT */
/* hak_realloc: content kept between all pools, in place where the class allows it, huge blocks moved
 * without copying, nothing lost where it fails. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"

#define MIB ((size_t)1 << 20)

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

HAK_TEST(Realloc, KeepsContentForAllPairsOfSizes) {
    uint64_t live = census_live_blocks();
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        for (unsigned j = 0; j < CENSUS_SIZE_COUNT; j++) {
            size_t from = census_sizes[i], to = census_sizes[j], kept = smaller(from, to);
            void *p = hak_alloc(from);
            HAK_ASSERT_TRUE(p != NULL);
            bool whole = from <= 65536;
            (whole ? pattern_fill : pattern_mark_pages)(p, from, i);
            void *q = hak_realloc(p, to);
            if (to == 0) {
                HAK_EXPECT_PTR_EQ(q, NULL);
                continue;
            }
            HAK_ASSERT_TRUE(q != NULL);
            HAK_EXPECT_GE(hak_usable_size(q), to);
            HAK_EXPECT((whole ? pattern_holds : pattern_pages_hold)(q, kept, i));
            hak_free(q);
        }
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Realloc, StaysInPlaceWithinItsClass) {
    size_t below = 0; /* the block size of the class before */
    for (unsigned c = 1; c < hak_class_count(); c++) {
        size_t block_size = census_class(c).block_size;
        void *p = hak_alloc(block_size);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT_PTR_EQ(hak_realloc(p, below + 1), p);
        HAK_EXPECT_PTR_EQ(hak_realloc(p, (below + 1 + block_size) / 2), p);
        HAK_EXPECT_PTR_EQ(hak_realloc(p, block_size), p);
        HAK_EXPECT_PTR_EQ(hak_realloc(p, hak_usable_size(p)), p);
        hak_free(p);
        below = block_size;
    }
}

HAK_TEST(Realloc, ShrinkingByMuchGivesMemoryBack) {
    void *p = hak_alloc(1024);
    void *q = hak_realloc(p, 8);
    HAK_EXPECT_LT(hak_usable_size(q), 1024);
    hak_free(q);
}

HAK_TEST(Realloc, NullAllocates) {
    void *p = hak_realloc(NULL, 100);
    HAK_EXPECT_GE(hak_usable_size(p), 100);
    hak_free(p);
    p = hak_realloc(NULL, 0);
    HAK_EXPECT(p != NULL);
    hak_free(p);
}

HAK_TEST(Realloc, ZeroFreesAndGivesNull) {
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        void *p = hak_alloc(census_sizes[i]);
        uint64_t live = census_live_blocks();
        HAK_EXPECT_PTR_EQ(hak_realloc(p, 0), NULL);
        HAK_EXPECT_EQ(census_live_blocks(), live - 1);
    }
}

HAK_TEST(Realloc, HugeGrowsWithoutCopyingItsPages) {
    size_t small = 64 * MIB, large = 192 * MIB;
    unsigned char *p = (unsigned char *)hak_alloc(small);
    HAK_ASSERT_TRUE(p != NULL);
    pattern_mark_pages(p, small, 3);
    struct os_counters before, after;
    hak_os_counters_get(&before);
    uint64_t faults = system_page_faults();
    size_t resident = system_resident_bytes();
    unsigned char *q = (unsigned char *)hak_realloc(p, large);
    HAK_ASSERT_TRUE(q != NULL);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.remaps, before.remaps + 1);
    HAK_EXPECT_EQ(after.maps, before.maps);
    /* Copying would touch 16,384 new pages. */
    HAK_EXPECT_LT(system_page_faults() - faults, 1000);
    HAK_EXPECT_LT(system_resident_bytes(), resident + 8 * MIB);
    HAK_EXPECT_GE(hak_usable_size(q), large);
    HAK_EXPECT(pattern_pages_hold(q, small, 3));
    q[large - 1] = 1;
    hak_free(q);
}

HAK_TEST(Realloc, GrownHugeBlocksDoNotOverlap) {
    enum { BLOCKS = 6 };
    void *blocks[BLOCKS];
    size_t size = 2 * MIB;
    for (unsigned b = 0; b < BLOCKS; b++) blocks[b] = hak_alloc(size);
    for (unsigned step = 0; step < 5; step++) {
        for (unsigned b = 0; b < BLOCKS; b++) pattern_mark_pages(blocks[b], size, b);
        size_t larger = size + size / 2 + 12345;
        for (unsigned b = 0; b < BLOCKS; b++) {
            blocks[b] = hak_realloc(blocks[b], larger);
            HAK_ASSERT_TRUE(blocks[b] != NULL);
            pattern_mark_pages(blocks[b], larger, b);
        }
        size = larger;
        for (unsigned b = 0; b < BLOCKS; b++) HAK_EXPECT(pattern_pages_hold(blocks[b], size, b));
    }
    for (unsigned b = 0; b < BLOCKS; b++) hak_free(blocks[b]);
}

HAK_TEST(Realloc, FailureKeepsTheBlock) {
    const size_t impossible[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 4096, PTRDIFF_MAX};
    for (unsigned i = 1; i < CENSUS_SIZE_COUNT; i++) {
        size_t size = census_sizes[i];
        void *p = hak_alloc(size);
        HAK_ASSERT_TRUE(p != NULL);
        pattern_mark_pages(p, size, i);
        size_t usable = hak_usable_size(p);
        uint64_t live = census_live_blocks();
        for (size_t k = 0; k < sizeof impossible / sizeof *impossible; k++) {
            errno = 0;
            HAK_EXPECT_PTR_EQ(hak_realloc(p, impossible[k]), NULL);
            HAK_EXPECT_EQ(errno, ENOMEM);
        }
        HAK_EXPECT(pattern_pages_hold(p, size, i));
        HAK_EXPECT_EQ(hak_usable_size(p), usable);
        HAK_EXPECT_EQ(census_live_blocks(), live);
        hak_free(p);
    }
}
