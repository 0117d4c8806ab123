/* SPDX-License-Identifier: MIT */
/* The edges of the interface: size 0, sizes that cannot be, NULL, errno, sized frees. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"

HAK_TEST(Edges, SizeZeroGivesDistinctBlocks) {
    enum { BLOCKS = 500 };
    void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(0);
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        for (unsigned j = 0; j < i; j++) HAK_ASSERT_TRUE(blocks[i] != blocks[j]);
    }
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}

HAK_TEST(Edges, SizesAbovePtrdiffMaxAreENOMEM) {
    const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 65536};
    uint64_t live = census_live_blocks();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        HAK_EXPECT_PTR_EQ(hak_alloc(sizes[i]), NULL);
        HAK_EXPECT_EQ(errno, ENOMEM);
        errno = 0;
        HAK_EXPECT_PTR_EQ(hak_alloc_at(sizes[i], &sizes), NULL);
        HAK_EXPECT_EQ(errno, ENOMEM);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
}

HAK_TEST(Edges, MoreThanTheAddressSpaceIsENOMEM) {
    errno = 0;
    HAK_EXPECT_PTR_EQ(hak_alloc(PTRDIFF_MAX), NULL);
    HAK_EXPECT_EQ(errno, ENOMEM);
}

HAK_TEST(Edges, FreeKeepsErrno) {
    errno = EDOM;
    hak_free(NULL);
    hak_free_sized(NULL, 0);
    HAK_EXPECT_EQ(errno, EDOM);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        void *p = hak_alloc(census_sizes[i]);
        HAK_ASSERT_TRUE(p != NULL);
        errno = ERANGE;
        hak_free(p);
        HAK_EXPECT_EQ(errno, ERANGE);
    }
}

HAK_TEST(Edges, FreeKeepsErrnoWhenItReturnsMemoryToTheSystem) {
    enum { BLOCKS = 2000 };
    static void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(i % 50 == 0 ? 2 << 20 : 4000);
    errno = ERANGE;
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    HAK_EXPECT_EQ(errno, ERANGE);
}

HAK_TEST(Edges, FreeSizedTakesTheSizeAskedFor) {
    uint64_t live = census_live_blocks();
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        hak_free_sized(hak_alloc(census_sizes[i]), census_sizes[i]);
        void *p = hak_alloc(census_sizes[i]);
        hak_free_sized(p, hak_usable_size(p));
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
}

HAK_TEST(Edges, UsableSizeIsConstantAndAtLeastTheSize) {
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        char *p = (char *)hak_alloc(census_sizes[i]);
        HAK_ASSERT_TRUE(p != NULL);
        size_t usable = hak_usable_size(p);
        HAK_EXPECT_GE(usable, census_sizes[i]);
        memset(p, 0x5A, usable);
        HAK_EXPECT_EQ(hak_usable_size(p), usable);
        hak_free(p);
    }
}

HAK_TEST(Edges, UsableSizeIsZeroForWhatIsNoStartOfABlock) {
    int local = 0;
    static int global;
    HAK_EXPECT_EQ(hak_usable_size(NULL), 0);
    HAK_EXPECT_EQ(hak_usable_size(&local), 0);
    HAK_EXPECT_EQ(hak_usable_size(&global), 0);
    for (unsigned i = 2; i < CENSUS_SIZE_COUNT; i++) {
        char *p = (char *)hak_alloc(census_sizes[i]);
        HAK_EXPECT_EQ(hak_usable_size(p + 1), 0);
        HAK_EXPECT_EQ(hak_usable_size(p + census_sizes[i] - 1), 0);
        hak_free(p);
    }
}

HAK_TEST(Edges, VersionHasThreeNumbers) {
    HAK_EXPECT(strspn(hak_version(), "0123456789.") == strlen(hak_version()));
    HAK_EXPECT(strchr(hak_version(), '.') != strrchr(hak_version(), '.'));
}
