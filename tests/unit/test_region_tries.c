/* SPDX-License-Identifier: MIT */
/* A region for which the tables have no room, since other mappings lie in the way: how many places are tried, and that nothing is
 * left of those that were refused. */
#include <errno.h>

#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/region.h"
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
