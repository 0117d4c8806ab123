/* SPDX-License-Identifier: MIT */
/* What programs call in the place of malloc and free, and what is asked of a pointer that may be no block. */
#include <errno.h>
#include <string.h>

#include "hakmem/base/options.h"
#include "hakmem/flags/guard.h"
#include "hakmem/front/misuse.h"
#include "hakmem/front/sized.h"
#include "hakmem/hakmem.h"
#include "hakmem/tiny/tiny_fast.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"

enum { BLOCKS = 3000 };

static void *blocks[BLOCKS];

/* The inlined fast path, and the call where a magazine is empty. */
HAK_TEST(Front, TinyAllocationsAreBlocksLikeAnyOther) {
    const uint64_t live = census_live_blocks();
    for (size_t i = 0; i < BLOCKS; i++) {
        const size_t size = i % (HAK_TINY_MAX + 1);
        blocks[i] = hak_tiny_alloc_hot(size);
        HAK_ASSERT_TRUE(blocks[i] != NULL && hak_usable_size(blocks[i]) >= size);
        memset(blocks[i], (int)i, size);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live + BLOCKS);
    for (size_t i = 0; i < BLOCKS; i++) {
        const size_t size = i % (HAK_TINY_MAX + 1);
        HAK_EXPECT(size == 0 || ((unsigned char *)blocks[i])[size - 1] == (unsigned char)i);
        hak_free(blocks[i]);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
}

HAK_TEST(Front, WhatNeverWasABlockIsForeign) {
    static char mine[64];
    char *const block = hak_alloc(100), *const huge = hak_alloc((size_t)3 << 20);
    HAK_EXPECT(hak_misuse_is_foreign(mine));
    HAK_EXPECT(hak_misuse_is_foreign(&errno));
    HAK_EXPECT(!hak_misuse_is_foreign(block + 1));
    HAK_EXPECT(!hak_misuse_is_foreign(huge + 1));
    hak_free(block);
    hak_free(huge);
}

/* Builds with guard know where each live block starts. */
HAK_TEST(Front, AnAlignmentThatABlockHasNotIsReported) {
    if (!HAK_GUARD_EXACT) HAK_SKIP("builds without guard do not look");
    char *const block = hak_aligned_alloc(64, 64), *const small = hak_alloc(80);
    HAK_EXPECT(hak_front_alignment_fits("delete", block, 64, NULL));
    HAK_EXPECT(hak_front_alignment_fits("delete", blocks, 64, NULL)); /* no block: the free that follows says so */
    HAK_EXPECT_DEATH(hak_front_alignment_fits("delete", small, 4096, NULL), "wrong alignment");
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    HAK_EXPECT(!hak_front_alignment_fits("delete", small, 4096, NULL));
    hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
    hak_free(block);
    hak_free(small);
}

/* Where the policy is to go on, the program has neither a new block nor lost one. */
HAK_TEST(Front, AReallocOfWhatIsNoBlockIsRefused) {
    char *const huge = hak_alloc((size_t)3 << 20);
    const uint64_t live = census_live_blocks();
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    errno = 0;
    HAK_EXPECT_PTR_EQ(hak_realloc(huge + 4096, 100), NULL);
    HAK_EXPECT_EQ(errno, EINVAL);
    hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
    HAK_EXPECT_EQ(census_live_blocks(), live);
    HAK_EXPECT_DEATH(hak_free(hak_realloc(huge + 4096, 100)), "interior pointer");
    hak_free(huge);
}

HAK_TEST(Front, ABlockIsNotFreedWithASizeThatIsNotItsOwn) {
    char *const block = hak_alloc(80);
    const uint64_t live = census_live_blocks();
    HAK_EXPECT_DEATH(hak_free_sized(block, 1000), "wrong size");
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    hak_free_sized(block, 1000);
    hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
    HAK_EXPECT_EQ(census_live_blocks(), live);
    hak_free_sized(block, 80);
    HAK_EXPECT_EQ(census_live_blocks(), live - 1);
}

/* While every allocation is sampled, from the start. */
HAK_TEST_ISOLATED(Front, AReportNamesTheCallsThatMadeAndFreedABlock, "HAKMEM_LEAKS=1") {
    if (!HAK_GUARD_EXACT || HAK_GUARD_FULL) HAK_SKIP("without guard reports are short, with full there is no profile");
    char *const block = hak_alloc(100);
    HAK_EXPECT_DEATH(hak_free(block + 16), "allocated from .*  called from ");
    hak_free(block);
    HAK_EXPECT_DEATH(hak_free(block), "freed before from .*allocated from ");
}
