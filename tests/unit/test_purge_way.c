/* SPDX-License-Identifier: MIT */
/* By which call the pages of a region go back: a new mapping in the place of the old one where the process is alone with them, and
 * advice where the mapping is another than a new one would be. */
#include <pthread.h>
#include <sched.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/base/lock.h"
#include "hakmem/flags/guard.h"
#include "hakmem/guard/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/decay.h"
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

static char *advised_end; /* of the range that advice was last given for */
static bool some_waited;  /* when huge pages were last asked for */
static int refusal;       /* what asking for them returns */

/* Another thread's purge, which settles a region while huge pages are asked for in it. Atomic, all. */
static uint32_t purge_is_to_come, purge_may_come, purge_is_over;

static void *settle(void *region) {
    while (hak_load_acquire(&purge_may_come) == 0) sched_yield();
    hak_region_settle(region);
    hak_store_release(&purge_is_over, 1u);
    return NULL;
}

/* Until the purge has gone as far as it can: it has settled the region, or sleeps on the lock. */
static void purge_meanwhile(void) {
    hak_store_release(&purge_may_come, 1u);
    while (hak_load_acquire(&purge_is_over) == 0 && (hak_load_relaxed(&hak_regions.lock.word) & LOCK_WAITERS) == 0) {
        sched_yield();
    }
}

int __wrap_hak_os_huge_pages(void *start, size_t size) {
    HAK_EXPECT_GE(size, HAK_REGION_BYTES / 2);
    advised_end = (char *)start + size;
    some_waited = hak_load_relaxed(&hak_regions.huge_pages_wait);
    if (hak_load_relaxed(&purge_is_to_come) != 0) purge_meanwhile();
    return refusal;
}

int __wrap_hak_os_no_huge_pages(void *start, size_t size) {
    HAK_EXPECT_GE(size, HAK_REGION_BYTES / 2);
    advised_end = (char *)start + size;
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

/* A region that waits for huge pages, with one span taken. */
static struct span take_of_waiting_region(void) {
    struct span span;
    hak_process_begin();
    HAK_EXPECT_EQ(hak_region_span_alloc(1, 7, &span), 0);
    hak_store_relaxed(&span.region->huge_pages, (uint32_t)REGION_HUGE_PAGES_WAITING);
    hak_store_relaxed(&hak_regions.huge_pages_wait, true);
    refused_huge = 0;
    return span;
}

/* Huge pages are refused after they were asked for, also where the purge comes while they are. */
HAK_TEST_ISOLATED(PurgeWay, APurgeWhileHugePagesAreAskedForHasTheLastWord, KEEP) {
    struct span span = take_of_waiting_region();
    pthread_t purging;
    HAK_ASSERT_TRUE(pthread_create(&purging, NULL, settle, span.region) == 0);
    hak_store_relaxed(&purge_is_to_come, 1u);
    hak_region_ask_waiting(UINT64_MAX);
    HAK_ASSERT_TRUE(pthread_join(purging, NULL) == 0);
    HAK_EXPECT_EQ(refused_huge, 1);
    HAK_EXPECT_EQ(hak_load_relaxed(&span.region->huge_pages), REGION_HUGE_PAGES_SETTLED);
    hak_region_span_free(span.region, span.first, 1);
}

/* Where a limit was met the end of a region is unmapped, and what the program maps there is none of ours. */
HAK_TEST_ISOLATED(PurgeWay, AdviceIsForWhatTheRegionStillHas, KEEP) {
    struct span span = take_of_waiting_region();
    const uint32_t reserved = span.region->reserved, left = HAK_REGION_CHUNKS - 64;
    span.region->reserved = left;
    hak_region_ask_waiting(UINT64_MAX);
    HAK_EXPECT_EQ(hak_load_relaxed(&span.region->huge_pages), REGION_HUGE_PAGES_ASKED);
    HAK_EXPECT(some_waited); /* until all are asked for: the child of a fork would have to go on */
    HAK_EXPECT(!hak_load_relaxed(&hak_regions.huge_pages_wait));
    HAK_EXPECT_PTR_EQ(advised_end, region_chunk_address(span.region, left));
    advised_end = NULL;
    hak_region_settle(span.region);
    HAK_EXPECT_EQ(refused_huge, 1);
    HAK_EXPECT_PTR_EQ(advised_end, region_chunk_address(span.region, left));
    span.region->reserved = reserved;
    hak_region_span_free(span.region, span.first, 1);
}

static void forget_schedule(void) {
    while (hak_decay_take()) continue;
}

/* At the time that was said, and not a moment before it: then a look is scheduled for that time. */
HAK_TEST_ISOLATED(PurgeWay, HugePagesAreAskedForWhenTheTimeHasCome, KEEP) {
    const uint64_t from_ms = 5000;
    struct span span = take_of_waiting_region();
    hak_regions.huge_pages_from_ms = from_ms;
    forget_schedule();
    hak_region_ask_waiting(from_ms - 1);
    HAK_EXPECT_EQ(hak_load_relaxed(&span.region->huge_pages), REGION_HUGE_PAGES_WAITING);
    HAK_EXPECT(hak_load_relaxed(&hak_regions.huge_pages_wait));
    HAK_EXPECT_EQ(decay_due_ms(), from_ms);
    forget_schedule();
    hak_region_ask_waiting(from_ms);
    HAK_EXPECT_EQ(hak_load_relaxed(&span.region->huge_pages), REGION_HUGE_PAGES_ASKED);
    HAK_EXPECT(!hak_load_relaxed(&hak_regions.huge_pages_wait));
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    /* Nothing waits any more, whatever its word says. */
    hak_store_relaxed(&span.region->huge_pages, (uint32_t)REGION_HUGE_PAGES_WAITING);
    hak_region_ask_waiting(from_ms);
    HAK_EXPECT_EQ(hak_load_relaxed(&span.region->huge_pages), REGION_HUGE_PAGES_WAITING);
    hak_region_span_free(span.region, span.first, 1);
}

/* It is not asked again, nor told that it is not to make any. */
HAK_TEST_ISOLATED(PurgeWay, ASystemThatRefusesHugePagesIsAskedOnce, KEEP) {
    struct span span = take_of_waiting_region();
    refusal = 1;
    hak_region_ask_waiting(UINT64_MAX);
    HAK_EXPECT_EQ(hak_load_relaxed(&span.region->huge_pages), REGION_HUGE_PAGES_SETTLED);
    hak_region_settle(span.region);
    HAK_EXPECT_EQ(refused_huge, 0);
    hak_region_span_free(span.region, span.first, 1);
}

/* The child of a fork has its own look to come. */
HAK_TEST_ISOLATED(PurgeWay, AChildLooksAsLateAsItsParent, KEEP) {
    struct span span = take_of_waiting_region();
    hak_regions.huge_pages_from_ms = 7000;
    forget_schedule();
    hak_region_fork_child();
    HAK_EXPECT_EQ(decay_due_ms(), 7000);
    forget_schedule();
    hak_store_relaxed(&hak_regions.huge_pages_wait, false);
    hak_region_fork_child();
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    hak_region_span_free(span.region, span.first, 1);
}
