/* SPDX-License-Identifier: MIT */
/* hak_calloc: zeroed whatever lay in the block before, overflow of the product found. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/process.h"
#include "tests/harness/system.h"

HAK_TEST(Calloc, FreshBlocksAreZero) {
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        void *p = hak_calloc(1, census_sizes[i]);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT(pattern_all_zero(p, census_sizes[i]));
        hak_free(p);
    }
}

HAK_TEST(Calloc, RecycledBlocksAreZero) {
    enum { BLOCKS = 40 };
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        size_t size = census_sizes[i];
        unsigned count = size > (64 << 10) ? 3 : BLOCKS;
        void *blocks[BLOCKS];
        for (unsigned b = 0; b < count; b++) {
            blocks[b] = hak_alloc(size);
            HAK_ASSERT_TRUE(blocks[b] != NULL);
            memset(blocks[b], 0xFF, hak_usable_size(blocks[b]));
        }
        for (unsigned b = 0; b < count; b++) hak_free(blocks[b]);
        for (unsigned b = 0; b < count; b++) {
            blocks[b] = hak_calloc(size, 1);
            HAK_ASSERT_TRUE(blocks[b] != NULL);
            HAK_EXPECT(pattern_all_zero(blocks[b], size));
        }
        for (unsigned b = 0; b < count; b++) hak_free(blocks[b]);
    }
}

/* Of a huge block parts were written, whole and in places; another one may get the same pages. */
HAK_TEST(Calloc, RecycledHugeBlocksAreZeroWhereverTheyWereWritten) {
    const size_t size = ((size_t)11 << 20) + 5000, page = 4096;
    for (unsigned round = 0; round < 4; round++) {
        char *p = hak_calloc(1, size);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT(pattern_all_zero(p, size));
        memset(p + round * (size >> 3), 0xFF, size / 3);
        for (size_t at = 0; at < size; at += (3 + round) * page) p[at] = 1;
        memset(p + size - 5000, 0xFF, hak_usable_size(p) - size + 5000);
        hak_free(p);
    }
}

#define SPARSE_BYTES ((size_t)400 << 20)
#define SPARSE_RESIDENT_MOST ((size_t)4 << 20)

/* An emulator of another processor translates what runs for the first time, into memory of this process. */
#define TRANSLATED_BYTES ((size_t)16 << 20)

/* Alone: pages that other tests have only read count as resident. */
HAK_TEST_ISOLATED(Calloc, RecycledSparseBlocksStaySparse, "") {
    const bool is_emulated = getenv(PROCESS_EMULATOR_VARIABLE) != NULL;
    const size_t before = system_resident_bytes() + (is_emulated ? TRANSLATED_BYTES : 0);
    for (unsigned round = 0; round < 3; round++) {
        char *volatile p = hak_calloc(1, SPARSE_BYTES);
        HAK_ASSERT_TRUE(p != NULL);
        p[0] = 1;
        const size_t now = system_resident_bytes();
        printf("a sparse block: %zu KiB more are resident\n", (now > before ? now - before : 0) >> 10);
        HAK_EXPECT_LE(now, before + SPARSE_RESIDENT_MOST);
        hak_free(p);
    }
}

HAK_TEST(Calloc, SizeIsTheProduct) {
    void *p = hak_calloc(25, 40);
    HAK_EXPECT_GE(hak_usable_size(p), 1000);
    HAK_EXPECT(pattern_all_zero(p, 1000));
    hak_free(p);
}

HAK_TEST(Calloc, NothingIsABlockOfItsOwn) {
    void *a = hak_calloc(0, 100), *b = hak_calloc(100, 0), *c = hak_calloc(0, SIZE_MAX);
    HAK_EXPECT(a != NULL && b != NULL && c != NULL);
    HAK_EXPECT(a != b && b != c && a != c);
    hak_free(a);
    hak_free(b);
    hak_free(c);
}

HAK_TEST(Calloc, OverflowGivesNullAndENOMEM) {
    const size_t pairs[][2] = {
        {SIZE_MAX, 2},
        {2, SIZE_MAX},
        {SIZE_MAX, SIZE_MAX},
        {(size_t)1 << 32, (size_t)1 << 32},       /* the product is 0 */
        {((size_t)1 << 32) + 1, (size_t)1 << 32}, /* ... and here small */
        {(size_t)PTRDIFF_MAX + 1, 1},
        {1, SIZE_MAX},
    };
    uint64_t live = census_live_blocks();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        errno = 0;
        HAK_EXPECT_PTR_EQ(hak_calloc(pairs[i][0], pairs[i][1]), NULL);
        HAK_EXPECT_EQ(errno, ENOMEM);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
}
