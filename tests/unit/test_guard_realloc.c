/* SPDX-License-Identifier: MIT */
/* realloc of huge blocks in guard full: pages move and are not copied, and all that surrounds a block is right afterwards. */
#include <stdint.h>
#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/unit/guard_readable.h"

#define MIB ((size_t)1 << 20)

static void overflow(char *p, size_t size) {
    ((volatile char *)p)[size] = 0;
    hak_free(p);
}

/* The chunk behind a huge block of so many bytes, which may have a few of the canary behind them. */
static const char *behind(const char *p, size_t size) {
    return p + (size + 8 + HAK_CHUNK_BYTES - 1) / HAK_CHUNK_BYTES * HAK_CHUNK_BYTES;
}

static void expect_guarded(char *p, size_t size) {
    HAK_EXPECT_EQ(hak_usable_size(p), size);
    HAK_EXPECT(is_readable(p + size - 1));
    HAK_EXPECT(!is_readable(behind(p, size)));
    HAK_EXPECT(!is_readable(behind(p, size) + HAK_CHUNK_BYTES - 1));
    HAK_EXPECT_DEATH(overflow(p, size), "free.*overflow: bytes behind");
}

/* A block of which two pages were touched. */
static char *sparse(size_t size) {
    char *p = (char *)hak_alloc(size);
    HAK_EXPECT(p != NULL);
    p[0] = 1;
    p[size - 1] = 2;
    return p;
}

HAK_TEST(GuardRealloc, WhatWasNeverTouchedStaysSo) {
    const size_t first = 300 * MIB + 100, grown = 1000 * MIB + 3, shrunk = 200 * MIB + 77;
    char *p = sparse(first);
    char *q = (char *)hak_realloc(p, grown);
    HAK_EXPECT(q != p && q[0] == 1 && q[first - 1] == 2);
    /* The canary that was there is gone. */
    for (size_t i = first; i < first + 4096; i++) HAK_EXPECT(q[i] == 0);
    HAK_EXPECT_LE(resident_pages(q, grown), 8);
    HAK_EXPECT(!is_readable(p));
    HAK_EXPECT(!is_readable(p + first - 1));
    expect_guarded(q, grown);
    q[shrunk - 1] = 3;
    HAK_EXPECT_PTR_EQ(hak_realloc(q, shrunk), q);
    HAK_EXPECT(q[0] == 1 && q[shrunk - 1] == 3);
    HAK_EXPECT_LE(resident_pages(q, shrunk), 8);
    expect_guarded(q, shrunk);
    q = (char *)hak_realloc(q, 100);
    HAK_EXPECT_EQ(q[0], 1);
    HAK_EXPECT_EQ(hak_usable_size(q), 100);
    hak_free(q);
    CENSUS_EXPECT_CONSISTENT();
}

/* What a block left waits as one that was freed does: a few blocks of that size later it is not there yet. */
HAK_TEST(GuardRealloc, WhatABlockLeftWaits) {
    char *p = sparse(2 * MIB);
    char *q = (char *)hak_realloc(p, 3 * MIB);
    for (unsigned i = 0; i < 4; i++) {
        char *other = sparse(2 * MIB);
        HAK_EXPECT(other != p);
        hak_free(other);
    }
    HAK_EXPECT(!is_readable(p));
    /* Its addresses are ours all the while, and nobody else is given them. */
    HAK_EXPECT(is_mapped(p) && is_mapped(p + 2 * MIB - 1));
    hak_free(q);
    /* And nothing of it is lost. */
    (void)hak_trim();
    CENSUS_EXPECT_CONSISTENT();
}

/* What is kept of a block that shrank reads zero to the next. Another block fills what it gave back, so that what is kept of both
 * is one piece, out of whose middle the next one's is cut. */
HAK_TEST_ISOLATED(GuardRealloc, ABlockThatShrankIsClearWhenItComesAgain, "HAKMEM_PURGE_DELAY_MS=-1") {
    char *large = (char *)hak_alloc(40 * MIB); /* more than all that may wait */
    char *p = (char *)hak_alloc(6 * MIB);
    memset(p, 0x5a, 6 * MIB);
    HAK_EXPECT_PTR_EQ(hak_realloc(p, 3 * MIB), p);
    char *other = (char *)hak_alloc(3 * MIB - HAK_CHUNK_BYTES - 100);
    HAK_EXPECT_PTR_EQ(other, behind(p, 3 * MIB) + HAK_CHUNK_BYTES);
    hak_free(p);
    hak_free(other);
    hak_free(large); /* they wait no longer */
    char *q = (char *)hak_calloc(1, 4 * MIB);
    HAK_EXPECT(q > p && q < other);
    for (size_t i = 0; i < 4 * MIB; i++) HAK_ASSERT_TRUE(q[i] == 0);
    hak_free(q);
}

HAK_TEST_ISOLATED(GuardRealloc, GoesByManyStepsThroughManySizes, "") {
    size_t size = 2 * MIB;
    char *p = (char *)hak_alloc(size);
    memset(p, 1, size);
    for (unsigned step = 0; step < 60; step++) {
        const size_t next = step % 3 == 2 ? size - MIB / 2 - step : size + MIB + 1000 * step;
        p = (char *)hak_realloc(p, next);
        HAK_ASSERT_TRUE(p != NULL);
        if (next > size) memset(p + size, 1, next - size);
        size = next;
        HAK_EXPECT_EQ(hak_usable_size(p), size);
        HAK_EXPECT(!is_readable(behind(p, size)));
    }
    for (size_t i = 0; i < size; i += 64) HAK_ASSERT_TRUE(p[i] == 1);
    hak_free(p);
    CENSUS_EXPECT_CONSISTENT();
}

/* Each call that the system may refuse: the block grows and shrinks all the same, or stays. */
HAK_TEST_ISOLATED(GuardRealloc, IsRightWhateverTheSystemRefuses, "") {
    static const unsigned kinds[] = {OS_FAKE_REMAP, OS_FAKE_MAP_LEFT, OS_FAKE_UNMAP, OS_FAKE_MAKE_INACCESSIBLE,
                                     OS_FAKE_PURGE};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *p = sparse(4 * MIB);
        os_fake_fail_only(kinds[i]);
        os_fake_fail_from(1);
        p = (char *)hak_realloc(p, 8 * MIB);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT(p[0] == 1 && p[4 * MIB - 1] == 2 && p[4 * MIB] == 0);
        HAK_EXPECT_EQ(hak_usable_size(p), 8 * MIB);
        p = (char *)hak_realloc(p, 2 * MIB);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT_EQ(p[0], 1);
        HAK_EXPECT_EQ(hak_usable_size(p), 2 * MIB);
        os_fake_reset();
        hak_free(p);
        CENSUS_EXPECT_CONSISTENT();
    }
}
