/* SPDX-License-Identifier: MIT */
/* Sites: hak_alloc_at counts under the address that it is given. */
#include <stdint.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

HAK_TEST(Sites, CountCallsAndBytesAskedFor) {
    static const char one[] = "one", two[] = "two";
    struct hak_site_stats stats;
    HAK_EXPECT(!hak_site_get_stats(one, &stats));
    size_t bytes = 0;
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        hak_free(hak_alloc_at(census_sizes[i], one));
        bytes += census_sizes[i];
    }
    hak_free(hak_alloc_at(77, two));
    HAK_ASSERT_TRUE(hak_site_get_stats(one, &stats));
    HAK_EXPECT_EQ(stats.allocations, CENSUS_SIZE_COUNT);
    HAK_EXPECT_EQ(stats.bytes, bytes);
    HAK_ASSERT_TRUE(hak_site_get_stats(two, &stats));
    HAK_EXPECT_EQ(stats.allocations, 1);
    HAK_EXPECT_EQ(stats.bytes, 77);
}

HAK_TEST(Sites, NullIsASiteToo) {
    struct hak_site_stats before = {0, 0}, after;
    hak_site_get_stats(NULL, &before);
    hak_free(hak_alloc_at(10, NULL));
    HAK_ASSERT_TRUE(hak_site_get_stats(NULL, &after));
    HAK_EXPECT_EQ(after.allocations, before.allocations + 1);
}

HAK_TEST(Sites, FailedCallsDoNotCount) {
    static const char site[] = "fails";
    struct hak_site_stats stats = {0, 0};
    HAK_EXPECT_PTR_EQ(hak_alloc_at(SIZE_MAX, site), NULL);
    HAK_EXPECT(!hak_site_get_stats(site, &stats) || stats.allocations == 0);
}

HAK_TEST(Sites, PlainAllocationsHaveNoSite) {
    static const char site[] = "never";
    struct hak_site_stats stats;
    memset(&stats, 0xA5, sizeof stats);
    const struct hak_site_stats untouched = stats;
    hak_free(hak_alloc(10));
    HAK_EXPECT(!hak_site_get_stats(site, &stats));
    HAK_EXPECT_EQ(memcmp(&stats, &untouched, sizeof stats), 0);
}

#define THREADS 4
#define CALLS HAK_TEST_SCALE(5000)

static const char shared_sites[16];

static void allocate_at_shared_sites(void *argument, unsigned index) {
    (void)argument;
    for (unsigned i = 0; i < CALLS; i++) hak_free(hak_alloc_at(index + 1, &shared_sites[i % 16]));
}

HAK_TEST(Sites, CountsOfThreadsAddUp) {
    threads_run(THREADS, allocate_at_shared_sites, NULL);
    uint64_t allocations = 0, bytes = 0;
    for (unsigned i = 0; i < 16; i++) {
        struct hak_site_stats stats;
        HAK_ASSERT_TRUE(hak_site_get_stats(&shared_sites[i], &stats));
        allocations += stats.allocations;
        bytes += stats.bytes;
    }
    HAK_EXPECT_EQ(allocations, THREADS * CALLS);
    HAK_EXPECT_EQ(bytes, (1 + 2 + 3 + 4) * CALLS);
}

/* Alone in its process: it leaves no room for the sites of others. */
HAK_TEST_ISOLATED(Sites, FullTableCountsNoNewSiteButAllocates, "") {
    static const char many[6000];
    unsigned known = 0;
    struct hak_site_stats stats;
    for (unsigned i = 0; i < sizeof many; i++) {
        void *p = hak_alloc_at(16, &many[i]);
        HAK_ASSERT_TRUE(p != NULL);
        hak_free(p);
    }
    for (unsigned i = 0; i < sizeof many; i++) {
        if (!hak_site_get_stats(&many[i], &stats)) continue;
        known++;
        HAK_EXPECT_EQ(stats.allocations, 1);
    }
    HAK_EXPECT_GE(known, 4000);
    HAK_EXPECT_LE(known, 4096);
    HAK_EXPECT(hak_site_get_stats(&many[0], &stats));
}
