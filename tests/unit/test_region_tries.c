/* SPDX-License-Identifier: MIT */
/* A region for which the tables have no room, since other mappings lie in the way: how many places are tried, and that nothing is
 * left of those that were refused. */
#include <errno.h>

#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/region.h"
#include "hakmem/space/flat.h"
#include "tests/harness/harness.h"

#define CLASS 7u
#define PLACES 8u /* that are tried */
#define WHOLE (HAK_REGION_CHUNKS - REGION_CHUNK_FIRST)

static unsigned tries, refusals;
static int error;

int __real_hak_page_map_add_region(const void *region);
int __wrap_hak_page_map_add_region(const void *region);

int __wrap_hak_page_map_add_region(const void *region) {
    tries++;
    if (refusals == 0) return __real_hak_page_map_add_region(region);
    refusals--;
    return error;
}

static unsigned map_commits;
static const void *committed;
static size_t committed_bytes;

int __real_hak_flat_commit(void *start, size_t size);
int __wrap_hak_flat_commit(void *start, size_t size);

/* Of the page map; the shadow is such a table too. */
int __wrap_hak_flat_commit(void *start, size_t size) {
    if ((uintptr_t)start - (uintptr_t)hak_page_map.classes <= hak_page_map.mask) {
        map_commits++;
        committed = start;
        committed_bytes = size;
    }
    return __real_hak_flat_commit(start, size);
}

/* Takes a region that is not there yet; `count` times its tables have no room, for the reason `why`. Result: what is said of it */
static int take_refused(int why, unsigned count, struct span *span) {
    tries = 0;
    error = why;
    refusals = count;
    const int result = hak_region_span_alloc(WHOLE, CLASS, span);
    refusals = 0;
    return result;
}

HAK_TEST_ISOLATED(RegionTries, AsManyPlacesAsThereMayBe, "HAKMEM_PURGE_DELAY_MS=-1") {
    static struct span span, first;
    struct os_counters before, after;
    hak_process_begin();
    while (tries == 0) HAK_ASSERT_TRUE(take_refused(0, 0, &first) == 0); /* none is left that has room */
    hak_os_counters_get(&before);
    HAK_EXPECT_EQ(take_refused(EEXIST, PLACES + 5, &span), EEXIST);
    HAK_EXPECT_EQ(tries, PLACES);
    HAK_EXPECT_EQ(take_refused(EEXIST, PLACES, &span), EEXIST);
    HAK_EXPECT_EQ(tries, PLACES);
    HAK_EXPECT_EQ(take_refused(ENOMEM, 1, &span), ENOMEM);
    HAK_EXPECT_EQ(tries, 1);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
    HAK_EXPECT_EQ(take_refused(EEXIST, PLACES - 1, &span), 0);
    HAK_EXPECT_EQ(tries, PLACES);
    HAK_EXPECT_EQ(hak_region_chunk_class(region_chunk_address(span.region, span.first)), CLASS);
    hak_region_span_free(span.region, span.first, span.count);
    hak_region_span_free(first.region, first.first, first.count);
}

/* Where nothing is to be reserved any more it is the headers that go back. */
HAK_TEST_ISOLATED(RegionTries, NothingIsLeftOfHeadersEither, "HAKMEM_PURGE_DELAY_MS=-1") {
    static struct span span;
    struct os_counters before, after;
    hak_process_begin();
    hak_region_stop_reserving();
    do {
        HAK_ASSERT_TRUE(take_refused(0, 0, &span) == 0);
    } while (tries == 0);
    hak_os_counters_get(&before);
    HAK_EXPECT_EQ(take_refused(EEXIST, PLACES, &span), EEXIST);
    HAK_EXPECT_EQ(tries, PLACES);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
}

/* A page of the map has the entries of several regions: the first of them makes it writable, and the others find it so. */
HAK_TEST_ISOLATED(RegionTries, APageOfTheMapIsMadeWritableOnce, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_THP=never") {
    enum { REGIONS = 40 };
    const uintptr_t page = hak_os_page_size();
    static uintptr_t pages[REGIONS]; /* of the map, by the index of their first entry */
    unsigned seen = 0;
    hak_process_begin();
    if (!page_map_is_flat()) HAK_SKIP("there is no map");
    for (unsigned i = 0; i < REGIONS; i++) {
        static struct span span;
        bool is_there = false;
        map_commits = 0;
        do {
            HAK_ASSERT_TRUE(take_refused(0, 0, &span) == 0);
        } while (tries == 0);
        pages[i] = ((uintptr_t)span.region >> HAK_CHUNK_SHIFT) & ~(page - 1);
        for (unsigned k = 0; k < i; k++) is_there |= pages[k] == pages[i];
        seen += is_there;
        HAK_EXPECT_EQ(map_commits, !is_there);
        if (is_there) continue;
        HAK_EXPECT_PTR_EQ(committed, &hak_page_map.classes[pages[i]]);
        HAK_EXPECT_EQ(committed_bytes, (HAK_REGION_CHUNKS + page - 1) / page * page);
    }
    HAK_EXPECT_GT(seen, 0); /* or nothing is tested here */
}
