/* SPDX-License-Identifier: MIT */
/* hak_aligned_alloc: every power of two up to 4 GiB, every pool, and what is refused. */
#include <errno.h>
#include <stdint.h>

#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"

static bool is_aligned(const void *p, size_t alignment) { return ((uintptr_t)p & (alignment - 1)) == 0; }

HAK_TEST(Aligned, EveryPowerOfTwoAndSize) {
    uint64_t live = census_live_blocks();
    for (size_t alignment = 1; alignment <= HAK_ALIGNMENT_MAX; alignment *= 2) {
        for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
            size_t size = census_sizes[i];
            unsigned char *p = (unsigned char *)hak_aligned_alloc(alignment, size);
            HAK_ASSERT_TRUE(p != NULL);
            HAK_EXPECT(is_aligned(p, alignment));
            HAK_EXPECT_GE(hak_usable_size(p), size);
            if (size != 0) {
                p[0] = 1;
                p[size - 1] = 2;
            }
            struct hak_owner_info info;
            HAK_EXPECT(hak_owner(p, &info));
            HAK_EXPECT_PTR_EQ(info.block, p);
            hak_free(p);
        }
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
}

HAK_TEST(Aligned, BlocksOfOneAlignmentDoNotOverlap) {
    enum { BLOCKS = 24 };
    for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
        void *blocks[BLOCKS];
        for (unsigned b = 0; b < BLOCKS; b++) {
            blocks[b] = hak_aligned_alloc(alignment, alignment + alignment / 2);
            HAK_ASSERT_TRUE(blocks[b] != NULL);
            HAK_EXPECT(is_aligned(blocks[b], alignment));
            pattern_fill(blocks[b], alignment + alignment / 2, b);
        }
        for (unsigned b = 0; b < BLOCKS; b++) {
            HAK_EXPECT(pattern_holds(blocks[b], alignment + alignment / 2, b));
            hak_free(blocks[b]);
        }
    }
}

HAK_TEST(Aligned, ReallocKeepsContent) {
    for (size_t alignment = 16; alignment <= (size_t)1 << 24; alignment *= 16) {
        void *p = hak_aligned_alloc(alignment, 1000);
        HAK_ASSERT_TRUE(p != NULL);
        pattern_fill(p, 1000, alignment);
        p = hak_realloc(p, 70000);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT(pattern_holds(p, 1000, alignment));
        p = hak_realloc(p, 500);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT(pattern_holds(p, 500, alignment));
        hak_free(p);
    }
}

HAK_TEST(Aligned, AnyOtherAlignmentIsEINVAL) {
    const size_t bad[] = {
        0, 3, 5, 6, 7, 24, 4095, 4097, HAK_ALIGNMENT_MAX + 1, HAK_ALIGNMENT_MAX * 2, (size_t)1 << 62, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        HAK_EXPECT_PTR_EQ(hak_aligned_alloc(bad[i], 100), NULL);
        HAK_EXPECT_EQ(errno, EINVAL);
    }
}

HAK_TEST(Aligned, ImpossibleSizesAreENOMEM) {
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX};
    for (size_t alignment = 1; alignment <= HAK_ALIGNMENT_MAX; alignment *= 8) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            errno = 0;
            HAK_EXPECT_PTR_EQ(hak_aligned_alloc(alignment, sizes[i]), NULL);
            HAK_EXPECT_EQ(errno, ENOMEM);
        }
    }
}

HAK_TEST(Aligned, PlainBlocksAreAlignedToSixteenWhereTheClassIs) {
    for (unsigned c = 1; c < hak_class_count(); c++) {
        size_t block_size = census_class(c).block_size;
        void *p = hak_alloc(block_size);
        HAK_EXPECT(is_aligned(p, block_size % 16 == 0 ? 16 : 8));
        hak_free(p);
    }
}
