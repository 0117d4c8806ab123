/* SPDX-License-Identifier: MIT */
/* Regions at the edges of their numbers: how much becomes ready at once, from how many free chunks on a region's end is given up, and
 * from how many purged ones on the header's pages go with them. */
#include <string.h>
#include <sys/mman.h>

#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_chunks.h"
#include "tests/harness/harness.h"

#define CLASS 7u
#define READY_LEAST 16u /* both as in region_chunks.c */
#define READY_MOST 64u
#define ALONE "HAKMEM_PURGE_DELAY_MS=-1"
#define HEADER_LEAST 16u /* as in region_purge.c */

static struct span take(unsigned count) {
    struct span span;
    memset(&span, 0, sizeof span);
    hak_process_begin();
    HAK_EXPECT_EQ(hak_region_span_alloc(count, CLASS, &span), 0);
    return span;
}

static unsigned clamp(unsigned value, unsigned least, unsigned most) {
    return value < least ? least : value > most ? most : value;
}

/* A region of which little is ready. Its blocks are placed at random, so all of it becomes ready first, and the end is given up: nobody
 * comes there, in a process of its own. */
static struct region *region_with_little_ready(void) {
    struct region *const region = take(1).region;
    while (hak_region_chunks_unskip(region) != 0) continue;
    HAK_EXPECT_EQ(region->skipped, 0);
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, HAK_REGION_CHUNKS), 0);
    HAK_EXPECT_EQ(region->ready, HAK_REGION_CHUNKS);
    HAK_EXPECT(hak_region_chunks_shrink(region, REGION_CHUNK_FIRST + 1));
    HAK_EXPECT_EQ(region->ready, REGION_CHUNK_FIRST + 1);
    return region;
}

/* Where one chunk more is wanted than is ready, half of what is ready comes, within bounds. */
HAK_TEST_ISOLATED(RegionEdges, HalfOfWhatIsReadyBecomesReady, ALONE) {
    struct region *const region = region_with_little_ready();
    unsigned steps = 0;
    while (region->ready < HAK_REGION_CHUNKS) {
        const unsigned before = region->ready;
        region->skipped = before / 4; /* which was never made ready */
        const unsigned more = clamp((before - region->skipped) / 2, READY_LEAST, READY_MOST);
        HAK_EXPECT_EQ(hak_region_chunks_ready(region, before), 0);
        HAK_EXPECT_EQ(region->ready, before);
        HAK_EXPECT_EQ(hak_region_chunks_ready(region, before + 1), 0);
        HAK_EXPECT_EQ(region->ready, clamp(before + more, 0, HAK_REGION_CHUNKS));
        HAK_ASSERT_TRUE(++steps < HAK_REGION_CHUNKS);
    }
    HAK_EXPECT_GE(steps, (HAK_REGION_CHUNKS - REGION_CHUNK_FIRST) / READY_MOST);
}

HAK_TEST_ISOLATED(RegionEdges, WhatIsWantedBecomesReadyHoweverMuch, ALONE) {
    struct region *const region = region_with_little_ready();
    const unsigned wanted = region->ready + READY_MOST + 1;
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, wanted), 0);
    HAK_EXPECT_EQ(region->ready, wanted);
    /* As much as comes by itself, to the chunk. */
    const unsigned next = wanted + clamp(wanted / 2, READY_LEAST, READY_MOST);
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, next), 0);
    HAK_EXPECT_EQ(region->ready, next);
}

HAK_TEST_ISOLATED(RegionEdges, AnEndIsGivenUpFromSixteenChunksOn, ALONE) {
    struct region *const region = region_with_little_ready();
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, region->ready + READY_MOST), 0);
    const unsigned ready = region->ready;
    HAK_EXPECT(!hak_region_chunks_shrink(region, ready));
    HAK_EXPECT(!hak_region_chunks_shrink(region, ready - READY_LEAST + 1));
    HAK_EXPECT_EQ(region->ready, ready);
    HAK_EXPECT(hak_region_chunks_shrink(region, ready - READY_LEAST));
    HAK_EXPECT_EQ(region->ready, ready - READY_LEAST);
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, ready), 0);
    *((char *)region_chunk_address(region, ready) - 1) = 1;
}

/* What is reserved and not ready goes, at the end and at the start, and is not asked for twice. */
static void expect_released(struct region *region, unsigned skipped, bool start_is_reserved) {
    region->skipped = skipped;
    region->skipped_is_reserved = start_is_reserved;
    const bool has_end = region->reserved != region->ready, has_start = skipped != 0 && start_is_reserved;
    HAK_EXPECT_EQ(hak_region_chunks_release(region), has_end || has_start);
    HAK_EXPECT_EQ(region->reserved, region->ready);
    HAK_EXPECT_EQ(region->skipped_is_reserved, start_is_reserved && !has_start);
    HAK_EXPECT(skipped == 0 || !hak_region_chunks_release(region));
}

HAK_TEST_ISOLATED(RegionEdges, WhatIsReservedIsReleasedAtEitherEnd, ALONE) {
    struct region *const region = region_with_little_ready();
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, 300), 0);
    HAK_EXPECT(region->reserved > region->ready);
    expect_released(region, 0, true); /* the end alone */
    expect_released(region, 0, true); /* nothing */
    expect_released(region, 30, false);
    expect_released(region, 30, true); /* the start alone */
}

/* Calls of a purge of so many chunks. */
static uint64_t purge_calls(unsigned count) {
    struct os_counters before, after;
    const struct span span = take(count);
    memset(region_chunk_address(span.region, span.first), 1, (size_t)count * HAK_CHUNK_BYTES);
    hak_region_span_free(span.region, span.first, span.count);
    hak_os_counters_get(&before);
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), (size_t)count * HAK_CHUNK_BYTES);
    hak_os_counters_get(&after);
    return after.purges - before.purges;
}

HAK_TEST_ISOLATED(RegionEdges, TheHeadersPagesGoFromSixteenChunksOn, ALONE) {
    (void)purge_calls(HEADER_LEAST); /* the region's first purge may do more */
    const uint64_t less = purge_calls(HEADER_LEAST - 2);
    HAK_EXPECT_GE(less, 1);
    HAK_EXPECT_EQ(purge_calls(HEADER_LEAST - 1), less);
    HAK_EXPECT_GT(purge_calls(HEADER_LEAST), less);
    HAK_EXPECT_GT(purge_calls(HEADER_LEAST + 1), less);
}

/* The last chunk too comes back first to who freed chunks of the class last. */
HAK_TEST_ISOLATED(RegionEdges, TheLastChunkIsTakenByTheClassThatFreedIt, ALONE) {
    enum { WHOLE = HAK_REGION_CHUNKS - REGION_CHUNK_FIRST };
    static struct span spans[2 * WHOLE];
    unsigned count = 0;
    do {
        spans[count] = take(1);
    } while (spans[count++].first != HAK_REGION_CHUNKS - 1 && count < 2 * WHOLE);
    const struct span last = spans[count - 1], early = spans[0];
    HAK_ASSERT_TRUE(last.first == HAK_REGION_CHUNKS - 1);
    hak_region_span_free(early.region, early.first, 1);
    hak_region_span_free(last.region, last.first, 1);
    const struct span again = take(1), next = take(1);
    HAK_EXPECT(again.region == last.region && again.first == last.first);
    HAK_EXPECT(next.region == early.region && next.first == early.first);
}

/* Where nothing is to be reserved any more an end is unmapped, if that is all that lies behind it; it is mapped again when it is wanted. */
HAK_TEST_ISOLATED(RegionEdges, AnEndIsUnmappedWhereNothingIsToBeReserved, ALONE) {
    /* The program's, behind the region: it stays. */
    char *const behind = (char *)take(1).region + HAK_REGION_BYTES;
    const bool is_ours = mmap(behind, HAK_CHUNK_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == behind;
    if (is_ours) *behind = 1;
    struct region *const region = region_with_little_ready();
    const unsigned end = REGION_CHUNK_FIRST + 100;
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, end), 0);
    const unsigned ready = region->ready;
    hak_region_chunks_stop_reserving();
    HAK_EXPECT_EQ(region->reserved, HAK_REGION_CHUNKS);
    HAK_EXPECT(!hak_region_chunks_shrink(region, end - 50)); /* what is reserved lies behind it */
    HAK_EXPECT_EQ(region->ready, ready);
    HAK_EXPECT_EQ(region->reserved, HAK_REGION_CHUNKS);
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, HAK_REGION_CHUNKS), 0);
    HAK_EXPECT_EQ(region->ready, HAK_REGION_CHUNKS);
    HAK_EXPECT(hak_region_chunks_shrink(region, end));
    HAK_EXPECT_EQ(region->ready, end);
    HAK_EXPECT_EQ(region->reserved, end);
    /* Nothing lies there now, from its first chunk to its last. */
    unsigned char look;
    HAK_EXPECT_NE(hak_os_resident(region_chunk_address(region, end), hak_os_page_size(), &look), 0);
    HAK_EXPECT_NE(hak_os_resident(region_chunk_address(region, HAK_REGION_CHUNKS - 1), hak_os_page_size(), &look), 0);
    HAK_EXPECT(!hak_region_chunks_ready_all(region));
    HAK_EXPECT_EQ(hak_region_chunks_ready(region, end + 1), 0);
    HAK_EXPECT(region->ready > end && region->reserved == region->ready);
    char *const again = region_chunk_address(region, region->ready);
    again[-1] = 1;
    HAK_EXPECT_EQ(again[-2], 0);
    if (is_ours) HAK_EXPECT_EQ(*behind, 1);
}

/* ---- What huge pages are asked for ---- */

static char *asked_start;
static size_t asked_bytes;

int __real_hak_os_huge_pages(void *start, size_t size);
int __wrap_hak_os_huge_pages(void *start, size_t size);
int __real_hak_os_no_huge_pages(void *start, size_t size);
int __wrap_hak_os_no_huge_pages(void *start, size_t size);

int __wrap_hak_os_huge_pages(void *start, size_t size) {
    asked_start = start;
    asked_bytes = size;
    return 0;
}

int __wrap_hak_os_no_huge_pages(void *start, size_t size) { return __wrap_hak_os_huge_pages(start, size); }

/* All that is reserved, but for the first huge page, which holds the header; of an open region that too. */
HAK_TEST_ISOLATED(RegionEdges, HugePagesAreThoseBehindTheHeader, ALONE) {
    const unsigned first = OS_HUGE_PAGE_BYTES / HAK_CHUNK_BYTES;
    const unsigned ends[] = {REGION_CHUNK_FIRST, first - 1, first, first + 1, HAK_REGION_CHUNKS};
    struct region *const region = take(1).region;
    const uint32_t reserved = region->reserved;
    const bool is_open = region->is_open;
    for (unsigned i = 0; i < 2 * (sizeof ends / sizeof *ends); i++) {
        const unsigned end = ends[i / 2], from = i % 2 == 0 ? first : 0;
        region->reserved = end;
        region->is_open = from == 0;
        HAK_EXPECT(hak_region_chunks_ask_huge(region));
        HAK_EXPECT_PTR_EQ(asked_start, (char *)region + from * (size_t)HAK_CHUNK_BYTES);
        HAK_EXPECT_EQ(asked_bytes, end > from ? (end - from) * (size_t)HAK_CHUNK_BYTES : 0);
        asked_bytes = 1;
        hak_region_chunks_refuse_huge(region);
        HAK_EXPECT_PTR_EQ(asked_start, (char *)region + from * (size_t)HAK_CHUNK_BYTES);
        HAK_EXPECT_EQ(asked_bytes, end > from ? (end - from) * (size_t)HAK_CHUNK_BYTES : 0);
    }
    region->reserved = reserved;
    region->is_open = is_open;
}
