/* SPDX-License-Identifier: MIT */
/* A region's header lies between inaccessible bytes, and what is skipped at a region's start is not lost. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hakmem/flags/guard.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/give_way.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/place.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_chunks.h"
#include "hakmem/shadow/shadow.h"
#include "tests/harness/harness.h"
#include "tests/harness/system.h"

#define CLASS 7u
#define CHUNKS (HAK_REGION_CHUNKS - REGION_CHUNK_FIRST)

static size_t regions_feigned;

size_t __real_hak_region_count_now(void);
size_t __wrap_hak_region_count_now(void);
size_t __wrap_hak_region_count_now(void) { return __real_hak_region_count_now() + regions_feigned; }

static bool refuses_uncommits;

int __real_hak_os_uncommit(void *start, size_t size);
int __wrap_hak_os_uncommit(void *start, size_t size);
int __wrap_hak_os_uncommit(void *start, size_t size) {
    return refuses_uncommits ? ENOMEM : __real_hak_os_uncommit(start, size);
}

static struct span take(unsigned count) {
    struct span span;
    memset(&span, 0, sizeof span);
    hak_process_begin();
    HAK_EXPECT_EQ(hak_region_span_alloc(count, CLASS, &span), 0);
    return span;
}

/* Whether a write there would end the program: the kernel says so of a read into it. */
static bool is_inaccessible(void *address) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    const bool refused = write(ends[1], "", 1) == 1 && read(ends[0], address, 1) < 0 && errno == EFAULT;
    close(ends[0]);
    close(ends[1]);
    return refused;
}

static void expect_walls(struct region *region) {
    char *start = (char *)region, *first_chunk = region_chunk_address(region, REGION_CHUNK_FIRST);
    HAK_EXPECT(is_inaccessible(start));
    HAK_EXPECT(is_inaccessible(start + HAK_REGION_WALL_BYTES - 1));
    HAK_EXPECT(is_inaccessible(first_chunk - 1));
    HAK_EXPECT_EQ(start[HAK_REGION_WALL_BYTES], ((const char *)&region->shadow)[0]);
    HAK_EXPECT_DEATH(memset(start - 1, 0xEE, 2), ""); /* whether or not a block ends there */
}

HAK_TEST(RegionPlace, HeaderLiesBetweenInaccessibleBytes) {
    struct span span = take(1);
    expect_walls(span.region);
    hak_region_span_free(span.region, span.first, span.count);
}

HAK_TEST_ISOLATED(RegionPlace, SoItDoesWhereNothingIsReserved, "") {
    const struct span before = take(1);
    HAK_ASSERT_TRUE(hak_region_give_way());
    for (;;) {
        const struct span span = take(CHUNKS);
        HAK_ASSERT_TRUE(span.count == CHUNKS);
        if (span.region == before.region) continue;
        HAK_EXPECT_EQ(span.region->skipped, 0);
        expect_walls(span.region);
        return;
    }
}

HAK_TEST_ISOLATED(RegionPlace, NoWallBeyondSoManyRegions, "") {
    regions_feigned = 4095;
    const struct span last = take(CHUNKS), next = take(CHUNKS);
    HAK_EXPECT(is_inaccessible(last.region));
    HAK_EXPECT(next.region != last.region && !is_inaccessible(next.region));
}

/* The system's limit of mappings would end the heap. */
HAK_TEST_ISOLATED(RegionPlace, RegionsBeyondThatAreOneMapping, "") {
    if (HAK_GUARD_FULL) HAK_SKIP("guard full has inaccessible chunks in every region");
    if (HAK_THREAD_SANITIZER) HAK_SKIP("the sanitizer maps its own memory beside each region");
    regions_feigned = 4096;
    (void)take(CHUNKS);
    const unsigned before = system_mappings();
    for (unsigned i = 0; i < 100; i++) {
        const struct span span = take(CHUNKS);
        memset(region_chunk_address(span.region, span.first), 1, 1);
    }
    const unsigned now = system_mappings();
    printf("100 regions: %d mappings more\n", (int)now - (int)before);
    HAK_EXPECT_LE(now, before + 4);
}

/* The number of chunks of the first region that are given out before another region is mapped. */
static unsigned count_chunks_of_first_region(bool gives_way) {
    struct span span = take(1);
    struct region *region = span.region;
    unsigned count = 0;
    HAK_EXPECT_EQ(span.first, REGION_CHUNK_FIRST + region->skipped);
    HAK_EXPECT_LE(region->skipped, PLACE_SKIP_MOST);
    if (region->skipped != 0) HAK_EXPECT(is_inaccessible(region_chunk_address(region, REGION_CHUNK_FIRST)));
    if (gives_way) HAK_EXPECT(hak_region_give_way());
    for (; span.region == region; span = take(1), count++) {
        char *start = region_chunk_address(region, span.first);
        HAK_EXPECT(span.zeroed);
        HAK_EXPECT_EQ(start[0], 0);
        start[HAK_CHUNK_BYTES - 1] = 1;
    }
    HAK_EXPECT_EQ(region->skipped, 0);
    return count;
}

HAK_TEST_ISOLATED(RegionPlace, SkippedChunksAreUsedBeforeAnotherRegion, "") {
    HAK_EXPECT_EQ(count_chunks_of_first_region(false), CHUNKS);
}

HAK_TEST_ISOLATED(RegionPlace, SkippedChunksAreUsedAfterTheyWereUnmapped, "") {
    HAK_EXPECT_EQ(count_chunks_of_first_region(true), CHUNKS);
}

/* What the program maps for itself, at a chunk's address. */
static char *map_over(struct region *region, unsigned first, unsigned count) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    char *start = region_chunk_address(region, first);
    char *mapped = mmap(start, (size_t)count * HAK_CHUNK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    HAK_EXPECT_PTR_EQ(mapped, start);
    mapped[0] = 77;
    return mapped;
}

/* What locks all later memory has regions reserve their headers alone: another mapping may come to lie behind. */
HAK_TEST_ISOLATED(RegionPlace, ARegionEndsWhereAnotherMappingLies, "") {
    struct span span = take(1);
    const struct region *const before = span.region;
    hak_region_stop_reserving();
    while (span.region == before) span = take(1);
    struct region *const region = span.region;
    const unsigned end = region->ready + 20;
    HAK_EXPECT_EQ(region->reserved, region->ready);
    HAK_EXPECT_EQ(region->skipped, 0);
    const char *mapped = map_over(region, end, 1);
    for (; span.region == region; span = take(1)) {
        HAK_EXPECT_LT(span.first, end);
        memset(region_chunk_address(region, span.first), 1, HAK_CHUNK_BYTES);
    }
    HAK_EXPECT_LE(region->ready, end);
    HAK_EXPECT_EQ(bitmap_count_run(region->free, 0, HAK_REGION_CHUNKS), 0);
    HAK_EXPECT_EQ(mapped[0], 77);
}

HAK_TEST_ISOLATED(RegionPlace, SkippedChunksThatAnotherMappingTookAreNoneAnyMore, "") {
    struct span span = take(1);
    struct region *const region = span.region;
    const unsigned skipped = region->skipped;
    unsigned count = 0;
    if (skipped == 0) HAK_SKIP("by chance no chunk is skipped");
    HAK_EXPECT(hak_region_give_way());
    const char *mapped = map_over(region, REGION_CHUNK_FIRST, skipped);
    for (; span.region == region; span = take(1)) count++;
    HAK_EXPECT_EQ(count, CHUNKS - skipped);
    HAK_EXPECT_EQ(region->skipped, 0);
    HAK_EXPECT_EQ(mapped[0], 77);
}

/* What is ready at a region's end goes back to the reservation, or stays as it was. */
HAK_TEST_ISOLATED(RegionPlace, AnEndThatIsNotTakenBackStaysReady, "") {
    struct region *const region = take(40).region;
    const unsigned ready = region->ready, end = ready - 16;
    refuses_uncommits = true;
    HAK_EXPECT(!hak_region_chunks_shrink(region, end));
    HAK_EXPECT_EQ(region->ready, ready);
    HAK_EXPECT(!is_inaccessible(region_chunk_address(region, end)));
    refuses_uncommits = false;
    HAK_EXPECT(hak_region_chunks_shrink(region, end));
    HAK_EXPECT_EQ(region->ready, end);
    HAK_EXPECT_EQ(region->reserved, HAK_REGION_CHUNKS);
    HAK_EXPECT(is_inaccessible(region_chunk_address(region, end)));
    /* What is reserved behind the end keeps it, where nothing is to be reserved any more. */
    hak_region_stop_reserving();
    HAK_EXPECT(!hak_region_chunks_shrink(region, end - 16));
    HAK_EXPECT_EQ(region->ready, end);
}

HAK_TEST(RegionPlace, TablesGiveWayToALimitThatTheyDoNotFitBelow) {
    hak_process_begin();
    hak_give_way_note_process();
    HAK_EXPECT(hak_give_way_is_process());
    HAK_EXPECT(!hak_give_way_is_due(UINT64_MAX));
    HAK_EXPECT(hak_give_way_is_due((uint64_t)1 << 20));
}

/* Map and shadow together are to be a quarter of it at most. */
HAK_TEST(RegionPlace, TablesGiveWayIfTheirSumIsMoreThanAQuarterOfALimit) {
    hak_process_begin();
    const uint64_t map = hak_page_map.mask, shadow = HAK_GUARD_EXACT ? hak_shadow.limit : 0, sum = map + shadow;
    const uint64_t limits[] = {map, shadow, 4 * map, 4 * shadow, 4 * sum - 1, 4 * sum, 4 * sum + 4};
    if (map == 0) HAK_SKIP("the tables have given way already");
    for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
        HAK_EXPECT_EQ(hak_give_way_is_due(limits[i]), limits[i] / 4 < sum);
    }
}
