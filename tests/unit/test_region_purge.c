/* SPDX-License-Identifier: MIT */
/* A purge from inside: what the system refuses stays dirty, and what others do meanwhile is not forgotten. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_chunks.h"
#include "hakmem/region/runs.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"

#define CLASS 7u
#define OWNER 1001u

static char *address_of(const struct span *span) { return (char *)region_chunk_address(span->region, span->first); }

static size_t bytes_of(const struct span *span) { return (size_t)span->count * HAK_CHUNK_BYTES; }

static struct span take(unsigned count) {
    struct span span;
    memset(&span, 0, sizeof span);
    hak_process_begin();
    HAK_EXPECT_EQ(hak_region_span_alloc(count, CLASS, &span), 0);
    return span;
}

static void give_back(const struct span *span) { hak_region_span_free(span->region, span->first, span->count); }

static void refuse_purges(void) {
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_PURGE);
    os_fake_fail_from(1);
}

HAK_TEST_ISOLATED(RegionPurge, RefusedPurgeLeavesChunksDirty, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct span span = take(40);
    memset(address_of(&span), 0xEE, bytes_of(&span));
    give_back(&span);
    refuse_purges();
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), 0);
    HAK_EXPECT_GT(os_fake_calls(), 0);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), bytes_of(&span));
    struct span again = take(40);
    HAK_EXPECT_PTR_EQ(address_of(&again), address_of(&span));
    HAK_EXPECT(!again.zeroed);
    give_back(&again);
    /* And it is tried again. */
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), bytes_of(&span));
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), 0);
    again = take(40);
    HAK_EXPECT(again.zeroed && pattern_all_zero(address_of(&again), bytes_of(&again)));
    give_back(&again);
}

/* A region of which nothing waits is no more looked at than one of which nothing ever did. */
HAK_TEST_ISOLATED(RegionPurge, NoPurgeLooksWhereNothingIsLeft, "HAKMEM_PURGE_DELAY_MS=-1") {
    const struct span span = take(40);
    HAK_EXPECT_PTR_EQ(hak_runs_find(RUNS_DIRTY, span.region->node, 0, 1), NULL);
    give_back(&span);
    HAK_EXPECT_PTR_EQ(hak_runs_find(RUNS_DIRTY, span.region->node, 0, 1), span.region);
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), bytes_of(&span));
    HAK_EXPECT_PTR_EQ(hak_runs_find(RUNS_DIRTY, span.region->node, 0, 1), NULL);
}

HAK_TEST_ISOLATED(RegionPurge, RefusedPurgeOfASlabsPagesCountsNothing, "HAKMEM_PURGE_DELAY_MS=-1") {
    static void *blocks[HAK_CHUNK_BYTES / 8];
    const struct decay_pass pass = {.freed_until_ms = UINT64_MAX};
    bool zeroed;
    hak_process_begin();
    struct slab *slab = hak_slab_create(CLASS, OWNER);
    const uint32_t count = hak_slab_take(slab, CLASS, blocks, hak_classes[CLASS].blocks, &zeroed);
    for (uint32_t i = 0; i < count; i++) memset(blocks[i], 0xEE, hak_classes[CLASS].block_size);
    hak_slab_free_blocks(OWNER, CLASS, blocks, count);
    refuse_purges();
    HAK_EXPECT_EQ(hak_slab_purge_free_pages(slab, CLASS, &pass), 0);
    HAK_EXPECT_GT(os_fake_calls(), 0);
    os_fake_reset();
    HAK_EXPECT_GE(hak_slab_purge_free_pages(slab, CLASS, &pass), HAK_CHUNK_BYTES / 2);
    HAK_EXPECT(hak_slab_release_if_empty(slab, CLASS));
}

/* Of the header's array. */
static unsigned resident_pages(const void *array, size_t size) {
    static unsigned char resident[HAK_REGION_BYTES / 4096];
    const uintptr_t page = hak_os_page_size(), start = (uintptr_t)array & ~(page - 1), end = (uintptr_t)array + size;
    unsigned count = 0;
    HAK_EXPECT_EQ(mincore((void *)start, end - start, resident), 0);
    for (size_t i = 0; i < (end - start + page - 1) / page; i++) count += resident[i] & 1;
    return count;
}

/* Pages of a header's array that may stay: two that other arrays begin or end in, and of each run of these slabs' chunks the two
 * at its ends, or all of a run of so few chunks that no call is made. A search goes on at the region's start when it has met its
 * end, so that the chunks may form several runs. */
static unsigned pages_that_stay(struct slab *const slabs[], unsigned count) {
    enum { FEWEST = 16, CHUNKS_A_PAGE = 4 }; /* see region_purge.c; of free_bits, the largest array */
    unsigned pages = 2, run = 0;
    for (unsigned i = 0; i < count; i++) {
        run++;
        if (i + 1 == count || slab_chunk(slabs[i + 1]) != slab_chunk(slabs[i]) + 1) {
            pages += run < FEWEST ? run / CHUNKS_A_PAGE + 2 : 2;
            run = 0;
        }
    }
    return pages;
}

/* What a region knows of its chunks goes back with them, and slabs are made there as in new memory. */
HAK_TEST_ISOLATED(RegionPurge, HeaderGoesBackWithItsChunks, "HAKMEM_PURGE_DELAY_MS=-1") {
    enum { SLABS = 96, SMALL = 1 };
    static void *blocks[HAK_CHUNK_BYTES / 8];
    struct slab *slabs[SLABS];
    hak_process_begin();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < SLABS; i++) {
            bool zeroed;
            slabs[i] = hak_slab_create(SMALL, OWNER);
            HAK_ASSERT_TRUE(slabs[i] != NULL);
            const uint32_t count = hak_slab_take(slabs[i], SMALL, blocks, hak_classes[SMALL].blocks, &zeroed);
            HAK_EXPECT_EQ(count, hak_classes[SMALL].blocks);
            hak_slab_free_blocks(OWNER + 1, SMALL, blocks, count); /* remote bits too */
        }
        const struct region *region = region_of(slabs[SLABS - 1]);
        HAK_EXPECT_PTR_EQ(region_of(slabs[0]), region);
        HAK_EXPECT_GE(resident_pages(region->descriptors, sizeof region->descriptors), SLABS / 16);
        HAK_EXPECT_GE(resident_pages(region->free_bits, sizeof region->free_bits), SLABS / 8);
        HAK_EXPECT_GE(resident_pages(region->remote_bits, sizeof region->remote_bits), SLABS / 8);
        const unsigned stay = pages_that_stay(slabs, SLABS);
        for (unsigned i = 0; i < SLABS; i++) HAK_EXPECT(hak_slab_release_if_empty(slabs[i], SMALL));
        HAK_EXPECT_GE(hak_region_purge(UINT64_MAX), SLABS * HAK_CHUNK_BYTES);
        HAK_EXPECT_LE(resident_pages(region->descriptors, sizeof region->descriptors), stay);
        HAK_EXPECT_LE(resident_pages(region->free_bits, sizeof region->free_bits), stay);
        HAK_EXPECT_LE(resident_pages(region->remote_bits, sizeof region->remote_bits), stay);
    }
}

/* From outside: calloc believes no refused purge. */
HAK_TEST_ISOLATED(RegionPurge, CallocIsZeroAfterARefusedPurge, "HAKMEM_PURGE_DELAY_MS=-1") {
    enum { BLOCKS = 100 };
    const size_t sizes[] = {64, 1000, 20000, 200000};
    static char *blocks[4][BLOCKS];
    for (unsigned k = 0; k < 4; k++) {
        for (unsigned i = 0; i < BLOCKS; i++) blocks[k][i] = memset(hak_alloc(sizes[k]), 0xEE, sizes[k]);
        for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[k][i]);
    }
    refuse_purges();
    HAK_EXPECT_EQ(hak_trim(), 0);
    os_fake_reset();
    for (unsigned k = 0; k < 4; k++) {
        for (unsigned i = 0; i < BLOCKS; i++) {
            blocks[k][i] = hak_calloc(1, sizes[k]);
            HAK_ASSERT_TRUE(pattern_all_zero(blocks[k][i], sizes[k]));
        }
        for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[k][i]);
    }
}

/* ---- While a run is in the hands of the purge, another thread searches in vain ---- */

static struct region *first_region;
static struct span found_meanwhile;

static void search_meanwhile(void) { found_meanwhile = take(3); }

/* Every chunk of a region in use but for single ones, which are clean, and a run of three, which is dirty. Result: the run */
static struct span leave_one_run(void) {
    static struct span spans[HAK_REGION_CHUNKS];
    unsigned count = 0;
    spans[count++] = take(1);
    first_region = spans[0].region;
    while (bitmap_count_run(first_region->free, 0, HAK_REGION_CHUNKS) + first_region->skipped > 0)
        spans[count++] = take(1);
    for (unsigned i = 20; i < 40; i += 2) give_back(&spans[i]);
    hak_region_purge(UINT64_MAX);
    for (unsigned i = 10; i < 13; i++) give_back(&spans[i]);
    return (struct span){.region = first_region, .first = spans[10].first, .count = 3};
}

static void expect_run_after_purge(bool is_refused) {
    const struct span run = leave_one_run();
    os_fake_reset();
    if (is_refused) refuse_purges();
    os_fake_within(OS_FAKE_PURGE, search_meanwhile);
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), is_refused ? 0 : bytes_of(&run));
    os_fake_reset();
    HAK_EXPECT(found_meanwhile.region != NULL && found_meanwhile.region != first_region);
    const struct span again = take(3);
    HAK_EXPECT_PTR_EQ(address_of(&again), address_of(&run));
    HAK_EXPECT_EQ(again.zeroed, !is_refused);
}

HAK_TEST_ISOLATED(RegionPurge, PurgedRunIsFoundAgain, "HAKMEM_PURGE_DELAY_MS=-1") { expect_run_after_purge(false); }

HAK_TEST_ISOLATED(RegionPurge, RefusedRunIsFoundAgain, "HAKMEM_PURGE_DELAY_MS=-1") { expect_run_after_purge(true); }

/* What is dirty anywhere is used before what an older region has that is clean: a heap does not grow beside what waits. */
HAK_TEST_ISOLATED(RegionPurge, DirtyChunksOfALaterRegionBeforeCleanOnes, "HAKMEM_PURGE_DELAY_MS=-1") {
    static struct span spans[2 * HAK_REGION_CHUNKS / 8];
    unsigned count = 0, late = 0;
    do {
        HAK_EXPECT_LT(count, sizeof spans / sizeof spans[0]);
        spans[count] = take(8);
        late += spans[count++].region != spans[0].region;
    } while (late < 3);
    /* Of the first region 32 chunks go back to the system; then the second one has 16 that wait. */
    for (unsigned i = 0; i < 4; i++) give_back(&spans[i]);
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), 4 * bytes_of(&spans[0]));
    give_back(&spans[count - 3]);
    give_back(&spans[count - 2]);
    const size_t dirty = hak_region_dirty_bytes();
    spans[count - 2] = take(8);
    spans[count - 3] = take(4);
    HAK_EXPECT(spans[count - 2].region != spans[0].region && !spans[count - 2].zeroed);
    HAK_EXPECT(spans[count - 3].region != spans[0].region && !spans[count - 3].zeroed);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty - bytes_of(&spans[count - 2]) - bytes_of(&spans[count - 3]));
    /* Where none that waits is long enough, the oldest region's are taken. */
    spans[0] = take(8);
    HAK_EXPECT(spans[0].region == spans[4].region && spans[0].zeroed);
    give_back(&spans[0]);
    for (unsigned i = 4; i < count; i++) give_back(&spans[i]);
}

static struct region *extended;

/* Each commit begins with it. */
static char *first_to_commit(void) { return region_chunk_address(extended, extended->ready); }

static void take_away(void) { HAK_EXPECT_EQ(munmap(first_to_commit(), HAK_CHUNK_BYTES), 0); }

/* Kernels before 6.12 unmap what they then refuse to map. Where nothing is mapped any more, other mappings may come to lie, which
 * hakmem would replace later. */
HAK_TEST_ISOLATED(RegionPurge, RefusedChunksStayReserved, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct span span = take(1), more;
    extended = span.region;
    HAK_ASSERT_TRUE(extended->reserved > extended->ready);
    const char *first = first_to_commit();
    os_fake_reset();
    os_fake_within(OS_FAKE_COMMIT, take_away);
    os_fake_fail_only(OS_FAKE_COMMIT);
    os_fake_fail_from(1);
    (void)hak_region_span_alloc(extended->reserved - extended->ready, CLASS, &more);
    os_fake_reset();
    HAK_EXPECT_PTR_EQ(first_to_commit(), first);
    HAK_EXPECT_EQ(hak_os_map_at(first_to_commit(), HAK_CHUNK_BYTES), EEXIST);
    give_back(&span);
}

/* Or the next huge block would be tried where regions lie. */
HAK_TEST_ISOLATED(RegionPurge, ARegionWithoutAHeaderIsNoHole, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct os_counters before, after;
    struct span span = take(1), more;
    hak_os_counters_get(&before);
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_COMMIT);
    os_fake_fail_from(1);
    HAK_EXPECT_EQ(hak_region_span_alloc(HAK_REGION_CHUNKS - REGION_CHUNK_FIRST, CLASS, &more), ENOMEM);
    os_fake_reset();
    hak_os_counters_get(&after);
    HAK_EXPECT_GT(after.maps, before.maps);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
    HAK_EXPECT_EQ(after.unmaps, before.unmaps);
    give_back(&span);
}

/* Whether huge pages would cost memory is not known where the system does not tell what is resident: then they are not asked for. */
HAK_TEST_ISOLATED(RegionPurge, ARegionOfWhichNothingIsToldIsNotDense, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct span span = take(1);
    give_back(&span);
    span = take(HAK_REGION_CHUNKS - REGION_CHUNK_FIRST);
    memset(address_of(&span), 1, bytes_of(&span));
    HAK_EXPECT(hak_region_chunks_are_dense(span.region));
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_RESIDENT);
    os_fake_fail_from(1);
    HAK_EXPECT(!hak_region_chunks_are_dense(span.region));
    os_fake_reset();
    give_back(&span);
}
