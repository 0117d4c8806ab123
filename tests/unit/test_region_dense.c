/* SPDX-License-Identifier: MIT */
/* When a region counts as mostly used, so that the next one is worth huge pages: where three quarters of its pages are resident, and
 * not one page before. What is resident the test says. */
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_chunks.h"
#include "tests/harness/harness.h"

static bool is_told, is_refused;
static size_t resident, asked; /* pages */
static char *next;             /* where the next look has to begin */

int __real_hak_os_resident(void *start, size_t size, unsigned char *pages);
int __wrap_hak_os_resident(void *start, size_t size, unsigned char *pages);

/* The first ones are resident, over as many looks as it takes. */
int __wrap_hak_os_resident(void *start, size_t size, unsigned char *pages) {
    if (!is_told) return __real_hak_os_resident(start, size, pages);
    HAK_EXPECT(next == NULL || start == next);
    next = (char *)start + size;
    const size_t count = size / hak_os_page_size();
    /* The bits but the lowest say nothing. */
    for (size_t i = 0; i < count; i++) pages[i] = asked + i < resident ? 0xff : 0xfe;
    asked += count;
    return is_refused ? 1 : 0;
}

static bool is_dense(struct region *region, size_t pages) {
    resident = pages;
    asked = 0;
    next = NULL;
    is_told = true;
    const bool dense = hak_region_chunks_are_dense(region);
    is_told = false;
    return dense;
}

HAK_TEST(RegionDense, FromThreeQuartersOn) {
    struct span span;
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_span_alloc(1, 7, &span) == 0);
    HAK_EXPECT(!is_dense(span.region, 0));
    const size_t all = asked, least = (3 * all + 3) / 4;
    HAK_EXPECT_GT(all * hak_os_page_size(), HAK_REGION_BYTES / 2);
    HAK_EXPECT_LE(all * hak_os_page_size(), HAK_REGION_BYTES);
    HAK_EXPECT(next <= (char *)span.region + HAK_REGION_BYTES);
    HAK_EXPECT(!is_dense(span.region, least - 1));
    HAK_EXPECT(is_dense(span.region, least));
    HAK_EXPECT(is_dense(span.region, all));
    HAK_EXPECT_EQ(asked, all);
    is_refused = true; /* where nobody can say it is not */
    HAK_EXPECT(!is_dense(span.region, all));
    is_refused = false;
    hak_region_span_free(span.region, span.first, span.count);
}
