/* SPDX-License-Identifier: MIT */
/* By which call the pages of a region go back: a new mapping in the place of the old one where the process is alone with them, and
 * advice where the mapping is another than a new one would be. */
#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/flags/guard.h"
#include "hakmem/guard/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_list.h"
#include "tests/harness/harness.h"

static unsigned by_advice, by_mapping, refused_huge;

int __real_hak_os_purge(void *start, size_t size);
int __wrap_hak_os_purge(void *start, size_t size);
int __real_hak_os_purge_by_mapping(void *start, size_t size);
int __wrap_hak_os_purge_by_mapping(void *start, size_t size);
int __wrap_hak_os_huge_pages(void *start, size_t size);
int __wrap_hak_os_no_huge_pages(void *start, size_t size);

int __wrap_hak_os_purge(void *start, size_t size) {
    by_advice++;
    return __real_hak_os_purge(start, size);
}

int __wrap_hak_os_purge_by_mapping(void *start, size_t size) {
    by_mapping++;
    return __real_hak_os_purge_by_mapping(start, size);
}

static struct region *purged_meanwhile; /* another thread's purge settles it while huge pages are asked for in it */

int __wrap_hak_os_huge_pages(void *start, size_t size) {
    (void)start;
    HAK_EXPECT_GE(size, HAK_REGION_BYTES / 2);
    if (purged_meanwhile != NULL) hak_region_settle(purged_meanwhile);
    return 0;
}

int __wrap_hak_os_no_huge_pages(void *start, size_t size) {
    (void)start;
    HAK_EXPECT_GE(size, HAK_REGION_BYTES / 2);
    refused_huge++;
    return 0;
}

/* Purges a chunk of a region that was given such advice. */
static void purge_chunk(enum region_huge_pages advice, bool may_map) {
    const struct decay_pass pass = {.freed_until_ms = UINT64_MAX, .by_mapping = may_map};
    struct span span;
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_span_alloc(1, 7, &span) == 0);
    char *const start = (char *)region_chunk_address(span.region, span.first);
    hak_store_relaxed(&span.region->huge_pages, (uint32_t)advice);
    *start = 1;
    by_advice = by_mapping = refused_huge = 0;
    HAK_EXPECT_EQ(hak_region_purge_pages(span.region, start, HAK_CHUNK_BYTES, &pass), 0);
    HAK_EXPECT_EQ(*start, 0);
    HAK_EXPECT_EQ(hak_load_relaxed(&span.region->huge_pages),
                  advice == REGION_HUGE_PAGES_NO_WORD ? REGION_HUGE_PAGES_NO_WORD : REGION_HUGE_PAGES_SETTLED);
    hak_region_span_free(span.region, span.first, 1);
}

#define KEEP "HAKMEM_PURGE_DELAY_MS=-1"

HAK_TEST_ISOLATED(PurgeWay, ByANewMappingWhereThatIsAllowed, KEEP) {
    if (HAK_GUARD_FULL && guard_has(HAK_FEATURE_PAGES)) HAK_SKIP("a new mapping would open what is inaccessible");
    purge_chunk(REGION_HUGE_PAGES_NO_WORD, true);
    HAK_EXPECT_EQ(by_mapping, 1);
    HAK_EXPECT_EQ(by_advice, 0);
    HAK_EXPECT_EQ(refused_huge, 0);
}

HAK_TEST_ISOLATED(PurgeWay, ByAdviceWhereThreadsShareIt, KEEP) {
    purge_chunk(REGION_HUGE_PAGES_NO_WORD, false);
    HAK_EXPECT_EQ(by_mapping, 0);
    HAK_EXPECT_EQ(by_advice, 1);
    HAK_EXPECT_EQ(refused_huge, 0);
}

/* The first purge also says that no more huge pages are to be made there. */
HAK_TEST_ISOLATED(PurgeWay, ByAdviceWhereHugePagesWereAskedFor, KEEP) {
    purge_chunk(REGION_HUGE_PAGES_ASKED, true);
    HAK_EXPECT_EQ(by_mapping, 0);
    HAK_EXPECT_EQ(by_advice, 1);
    HAK_EXPECT_EQ(refused_huge, 1);
    purge_chunk(REGION_HUGE_PAGES_WAITING, true);
    HAK_EXPECT_EQ(by_mapping, 0);
    HAK_EXPECT_EQ(by_advice, 1);
    HAK_EXPECT_EQ(refused_huge, 1);
    purge_chunk(REGION_HUGE_PAGES_SETTLED, true);
    HAK_EXPECT_EQ(by_mapping, 0);
    HAK_EXPECT_EQ(by_advice, 1);
    HAK_EXPECT_EQ(refused_huge, 0);
}

/* Huge pages are refused after they were asked for, whichever of the two threads comes first. */
HAK_TEST_ISOLATED(PurgeWay, APurgeWhileHugePagesAreAskedForHasTheLastWord, KEEP) {
    struct span span;
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_span_alloc(1, 7, &span) == 0);
    hak_store_relaxed(&span.region->huge_pages, (uint32_t)REGION_HUGE_PAGES_WAITING);
    hak_store_relaxed(&hak_regions.huge_pages_wait, true);
    refused_huge = 0;
    purged_meanwhile = span.region;
    hak_region_ask_waiting(UINT64_MAX);
    purged_meanwhile = NULL;
    HAK_EXPECT_EQ(refused_huge, 2);
    HAK_EXPECT_EQ(hak_load_relaxed(&span.region->huge_pages), REGION_HUGE_PAGES_SETTLED);
    hak_region_span_free(span.region, span.first, 1);
}
