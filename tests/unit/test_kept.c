/* SPDX-License-Identifier: MIT */
/* Kept mappings, reused while they decay; and huge blocks in chunks of regions that decay. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/base/config.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "hakmem/space/units.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"

#define MIB ((size_t)1 << 20)
#define CHUNK ((size_t)HAK_CHUNK_BYTES)

struct mapping {
    void *start;
    size_t size;
    bool zeroed;
};

static struct mapping take(size_t size, size_t alignment) {
    struct mapping mapping = {NULL, size, false};
    hak_process_begin();
    HAK_EXPECT_EQ(hak_kept_alloc(size, alignment, &mapping.start, &mapping.zeroed), 0);
    HAK_EXPECT_EQ((uintptr_t)mapping.start % alignment, 0);
    return mapping;
}

HAK_TEST(Kept, FreshSpansAreZero) {
    hak_kept_purge(UINT64_MAX);
    struct mapping mapping = take(2 * MIB, CHUNK);
    HAK_EXPECT(mapping.zeroed);
    HAK_EXPECT(pattern_all_zero(mapping.start, mapping.size));
    hak_kept_free(mapping.start, mapping.size);
    hak_kept_purge(UINT64_MAX);
}

HAK_TEST(Kept, FreedSpanIsUsedAgain) {
    hak_kept_purge(UINT64_MAX);
    struct mapping mapping = take(4 * MIB, CHUNK);
    hak_kept_free(mapping.start, mapping.size);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), mapping.size);
    struct mapping again = take(4 * MIB, CHUNK);
    HAK_EXPECT_PTR_EQ(again.start, mapping.start);
    HAK_EXPECT(!again.zeroed);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    hak_kept_free(again.start, again.size);
    hak_kept_purge(UINT64_MAX);
}

/* Three parts of 8 MiB side by side: the middle one is kept; `has_below`, `has_behind`: that one is mapped. Result: the first's start */
static char *keep_between(bool has_below, bool has_behind) {
    hak_kept_purge(UINT64_MAX);
    char *const first = take(24 * MIB, CHUNK).start;
    memset(first + 8 * MIB, 1, 8 * MIB);
    hak_kept_free(first + 8 * MIB, 8 * MIB);
    HAK_EXPECT(has_below || hak_os_unmap(first, 8 * MIB) == 0);
    HAK_EXPECT(has_behind || hak_os_unmap(first + 16 * MIB, 8 * MIB) == 0);
    return first;
}

static void expect_longer(char *start, bool is_first) {
    struct mapping longer = take(16 * MIB, CHUNK);
    HAK_EXPECT_PTR_EQ(longer.start, start);
    HAK_EXPECT(!longer.zeroed);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    HAK_EXPECT(pattern_all_zero(is_first ? start : start + 8 * MIB, 8 * MIB));
    hak_kept_free(longer.start, longer.size);
    hak_kept_purge(UINT64_MAX);
}

HAK_TEST_ISOLATED(Kept, LongerBlockIsMadeOfASpanAndWhatIsBesideIt, "") {
    char *first = keep_between(false, true);
    expect_longer(first, true);
    HAK_EXPECT_EQ(hak_os_unmap(first + 16 * MIB, 8 * MIB), 0);
    first = keep_between(true, false);
    expect_longer(first + 8 * MIB, false);
    HAK_EXPECT_EQ(hak_os_unmap(first, 8 * MIB), 0);
}

/* Where it grew downwards. Else every later mapping would be tried in the place that it took, and lie where the kernel puts libraries. */
HAK_TEST_ISOLATED(Kept, NextMappingIsBelowABlockThatGrew, "") {
    const struct mapping first = take(8 * MIB, CHUNK);
    hak_kept_free(first.start, first.size);
    const struct mapping longer = take(16 * MIB, CHUNK);
    HAK_EXPECT(!longer.zeroed);
    HAK_EXPECT_LT((uintptr_t)longer.start, (uintptr_t)first.start);
    const struct mapping next = take(64 * MIB, CHUNK);
    HAK_EXPECT_PTR_EQ((char *)next.start + next.size, longer.start);
    HAK_EXPECT_EQ(hak_os_unmap(next.start, next.size), 0);
    HAK_EXPECT_EQ(hak_os_unmap(longer.start, longer.size), 0);
}

/* Of a burst that decays the last piece to go is the start, or that stays. Else each burst would lie below the one before. */
HAK_TEST_ISOLATED(Kept, WhatDecayedInPiecesIsMappedAgainInItsPlace, "") {
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("the sanitizer maps in the hole");
    const struct mapping first = take(128 * MIB, CHUNK);
    struct mapping next = first;
    for (unsigned pieces = 14; pieces <= 16; pieces++) {
        struct decay_pass pass = {.freed_until_ms = DECAY_EVERYTHING};
        hak_kept_free(next.start, next.size);
        for (unsigned i = 0; i < pieces; i++) {
            pass.left = 8 * MIB;
            (void)hak_kept_purge_piece(&pass);
        }
        HAK_EXPECT_EQ(hak_kept_dirty_bytes(), (16 - pieces) * 8 * MIB);
        next = take(128 * MIB, CHUNK);
        HAK_EXPECT_PTR_EQ(next.start, first.start);
    }
    HAK_EXPECT_EQ(hak_os_unmap(next.start, next.size), 0);
}

/* The kernel might not join it with what is mapped beside it, and the block could not be moved. */
HAK_TEST_ISOLATED(Kept, NoBlockGrowsOutOfASpanOnceOneWasMoved, "") {
    char *const first = hak_alloc(8 * MIB), *const below = hak_alloc(8 * MIB);
    char *const moved = hak_realloc(below, 64 * MIB);
    HAK_ASSERT_TRUE(first != NULL && moved != NULL);
    HAK_ASSERT_TRUE(moved != below);
    hak_kept_purge(UINT64_MAX);
    const struct mapping span = take(8 * MIB, CHUNK);
    hak_kept_free(span.start, span.size);
    const struct mapping longer = take(16 * MIB, CHUNK);
    HAK_EXPECT(longer.zeroed);
    HAK_EXPECT_EQ(hak_os_unmap(longer.start, longer.size), 0);
    hak_free(moved);
    hak_free(first);
}

HAK_TEST_ISOLATED(Kept, SpanStaysWhereNothingIsFreeBesideItOrItIsSmall, "") {
    char *const first = keep_between(true, true);
    struct mapping longer = take(16 * MIB, CHUNK);
    HAK_EXPECT(longer.zeroed);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 8 * MIB);
    HAK_EXPECT(hak_kept_contains(first + 8 * MIB));
    HAK_EXPECT_EQ(hak_os_unmap(longer.start, longer.size), 0);
    HAK_EXPECT_EQ(hak_os_unmap(first, 8 * MIB), 0);
    longer = take(8 * 16 * MIB + 16 * CHUNK, CHUNK);
    HAK_EXPECT(longer.zeroed);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 8 * MIB);
    HAK_EXPECT_EQ(hak_os_unmap(longer.start, longer.size), 0);
    HAK_EXPECT_EQ(hak_os_unmap(first + 16 * MIB, 8 * MIB), 0);
    hak_kept_purge(UINT64_MAX);
}

/* Beside a block of many times its size it would only wait. */
HAK_TEST_ISOLATED(Kept, ShortSpanIsUnmappedWhereNothingIsFreeBesideIt, "") {
    char *const first = keep_between(true, true);
    const struct mapping longer = take(32 * MIB, CHUNK);
    HAK_EXPECT(longer.zeroed);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    HAK_EXPECT(!hak_kept_contains(first + 8 * MIB));
    HAK_EXPECT_EQ(hak_os_unmap(longer.start, longer.size), 0);
    HAK_EXPECT_EQ(hak_os_unmap(first, 8 * MIB), 0);
    HAK_EXPECT_EQ(hak_os_unmap(first + 16 * MIB, 8 * MIB), 0);
}

HAK_TEST(Kept, WhatIsLeftOfASpanIsKept) {
    hak_kept_purge(UINT64_MAX);
    struct os_counters before, after;
    struct mapping mapping = take(16 * MIB, CHUNK);
    hak_kept_free(mapping.start, mapping.size);
    hak_os_counters_get(&before);
    struct mapping first = take(2 * MIB, CHUNK), second = take(5 * MIB, CHUNK);
    HAK_EXPECT_PTR_EQ(first.start, (char *)mapping.start + 14 * MIB);
    HAK_EXPECT_PTR_EQ(second.start, (char *)mapping.start + 9 * MIB);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 9 * MIB);
    HAK_EXPECT(hak_kept_contains(mapping.start));
    HAK_EXPECT(hak_kept_contains((char *)second.start - 1));
    HAK_EXPECT(!hak_kept_contains(second.start));
    /* Neighbours become one span again. */
    hak_kept_free(first.start, first.size);
    hak_kept_free(second.start, second.size);
    HAK_EXPECT(hak_kept_contains(second.start));
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 16 * MIB);
    struct mapping whole = take(16 * MIB, CHUNK);
    HAK_EXPECT_PTR_EQ(whole.start, mapping.start);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.maps, before.maps);
    HAK_EXPECT_EQ(after.unmaps, before.unmaps);
    hak_kept_free(whole.start, whole.size);
    hak_kept_purge(UINT64_MAX);
}

HAK_TEST(Kept, AlignedSpanIsCutOutOfTheMiddle) {
    hak_kept_purge(UINT64_MAX);
    struct mapping mapping = take(16 * MIB, 4 * MIB);
    hak_kept_free(mapping.start, mapping.size);
    struct mapping end = take(MIB, CHUNK), aligned = take(2 * MIB, 4 * MIB);
    HAK_EXPECT_PTR_EQ(aligned.start, (char *)mapping.start + 12 * MIB);
    HAK_EXPECT_EQ(aligned.size, 2 * MIB);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 13 * MIB);
    hak_kept_free(end.start, end.size);
    hak_kept_free(aligned.start, aligned.size);
    HAK_EXPECT_EQ(hak_kept_purge(UINT64_MAX), 16 * MIB);
}

HAK_TEST(Kept, JoinedSpanIsAsOldAsItsOldestPart) {
    hak_kept_purge(UINT64_MAX);
    struct mapping mapping = take(8 * MIB, CHUNK);
    hak_kept_free(mapping.start, mapping.size);
    const uint64_t freed = hak_os_clock_ms();
    struct mapping part = take(2 * MIB, CHUNK);
    while (hak_os_clock_ms() <= freed) {
    }
    hak_kept_free(part.start, part.size);
    HAK_EXPECT_EQ(hak_kept_purge(freed), 8 * MIB);
}

HAK_TEST(Kept, BestFitIsTaken) {
    hak_kept_purge(UINT64_MAX);
    /* Out of one span, so that they lie in this order. */
    struct mapping all = take(8 * MIB, CHUNK);
    hak_kept_free(all.start, all.size);
    struct mapping close = take(4 * MIB, CHUNK), between = take(MIB, CHUNK), closer = take(3 * MIB, CHUNK);
    hak_kept_free(closer.start, closer.size);
    hak_kept_free(close.start, close.size);
    struct mapping again = take(3 * MIB - CHUNK, CHUNK);
    HAK_EXPECT_PTR_EQ(again.start, (char *)closer.start + CHUNK);
    hak_kept_free(between.start, between.size);
    hak_kept_free(again.start, again.size);
    hak_kept_purge(UINT64_MAX);
}

HAK_TEST(Kept, ReuseKeepsTheAlignment) {
    for (size_t alignment = CHUNK; alignment <= 64 * MIB; alignment *= 4) {
        struct mapping mapping = take(2 * MIB, alignment);
        hak_kept_free(mapping.start, mapping.size);
    }
    for (size_t alignment = 64 * MIB; alignment >= CHUNK; alignment /= 2) {
        struct mapping mapping = take(2 * MIB, alignment);
        hak_kept_free(mapping.start, mapping.size);
    }
    hak_kept_purge(UINT64_MAX);
}

HAK_TEST(Kept, PurgeUnmapsWhatIsOldEnough) {
    hak_kept_purge(UINT64_MAX);
    struct os_counters before, after;
    struct mapping mapping = take(8 * MIB, CHUNK);
    hak_os_counters_get(&before);
    uint64_t now = hak_os_clock_ms();
    hak_kept_free(mapping.start, mapping.size);
    HAK_EXPECT_EQ(now == 0 ? 0 : hak_kept_purge(now - 1), 0);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), mapping.size);
    HAK_EXPECT_EQ(hak_kept_purge(UINT64_MAX), mapping.size);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.unmaps, before.unmaps + 1);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes - mapping.size);
}

/* More spans than are kept, each between two that live: the oldest go, none is lost from the count. */
HAK_TEST(Kept, KeepsALimitedNumber) {
    enum { SPANS = 200 };
    static struct mapping spans[SPANS];
    hak_kept_purge(UINT64_MAX);
    struct os_counters before, after;
    hak_os_counters_get(&before);
    for (unsigned i = 0; i < SPANS; i++) spans[i] = take(2 * MIB, CHUNK);
    for (unsigned i = 0; i < SPANS; i += 2) hak_kept_free(spans[i].start, spans[i].size);
    HAK_EXPECT_LT(hak_kept_dirty_bytes(), SPANS / 2 * 2 * MIB);
    for (unsigned i = 1; i < SPANS; i += 2) hak_kept_free(spans[i].start, spans[i].size);
    hak_kept_purge(UINT64_MAX);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
}

/* ---- Spans of more than one mapping ---- */

/* Keeps two mappings side by side that the kernel cannot make one of: both were written before one moved beside the
 * other. */
static void keep_two_side_by_side(size_t size, char **out) {
    const int access = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *place = mmap(NULL, 4 * size + CHUNK, PROT_NONE, flags, -1, 0);
    HAK_ASSERT_TRUE(place != MAP_FAILED);
    place = (char *)(((uintptr_t)place + CHUNK - 1) / CHUNK * CHUNK);
    HAK_ASSERT_TRUE(mprotect(place, size, access) == 0 && mprotect(place + 3 * size, size, access) == 0);
    place[0] = place[3 * size] = 1;
    HAK_ASSERT_TRUE(mremap(place + 3 * size, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place + size) == place + size);
    HAK_ASSERT_TRUE(munmap(place + 2 * size, size) == 0);
    hak_kept_free(place, size);
    hak_kept_free(place + size, size);
    *out = place;
}

/* mremap refuses to grow a block of two mappings. */
static void expect_resize(size_t size) {
    char *place = NULL;
    hak_process_begin();
    hak_kept_purge(UINT64_MAX);
    keep_two_side_by_side(4 * MIB, &place);
    char *p = hak_alloc(8 * MIB);
    HAK_EXPECT_PTR_EQ(p, place);
    pattern_mark_pages(p, 8 * MIB, 1);
    p = hak_realloc(p, size);
    HAK_ASSERT_TRUE(p != NULL);
    HAK_EXPECT(pattern_pages_hold(p, size < 8 * MIB ? size : 8 * MIB, 1));
    HAK_EXPECT_GE(hak_usable_size(p), size);
    hak_free(p);
}

HAK_TEST_ISOLATED(Kept, BlockOfTwoMappingsGrows, "") { expect_resize(12 * MIB); }

HAK_TEST_ISOLATED(Kept, BlockOfTwoMappingsShrinks, "") { expect_resize(2 * MIB); }

/* ---- Addresses that were given out ---- */

static void expect_given(const void *start, size_t size) {
    for (size_t at = 0; at < size; at += MIB) HAK_EXPECT(hak_units_any_is_kept((uintptr_t)start + at, 1));
    HAK_EXPECT(hak_units_any_is_kept((uintptr_t)start + size - 1, 1));
}

/* What the tables keep when they give way: each unit of a mapping, of what was mapped beside it, of where it moved, and of a region. */
HAK_TEST_ISOLATED(Kept, EveryAddressOfABlockCountsAsGiven, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct span span;
    const struct mapping first = take(100 * MIB, CHUNK), second = take(100 * MIB, CHUNK);
    hak_kept_free(second.start, second.size);
    const struct mapping longer = take(300 * MIB, CHUNK);
    char *const moved = hak_realloc(hak_alloc(100 * MIB), 500 * MIB);
    HAK_ASSERT_TRUE(moved != NULL && hak_region_span_alloc(1, 7, &span) == 0);
    hak_units_keep();
    expect_given(first.start, first.size);
    expect_given(second.start, second.size);
    expect_given(longer.start, longer.size);
    expect_given(moved, 500 * MIB);
    expect_given(span.region, HAK_REGION_BYTES);
    HAK_EXPECT(!hak_units_any_is_kept((uintptr_t)1 << (HAK_ADDRESS_BITS - 7), 1)); /* where nothing is placed */
}

/* ---- The table of spans ---- */

struct looked {
    const void *span;
    unsigned tables, spans;
};

static void look_at(void *start, size_t size, void *argument) {
    struct looked *looked = argument;
    looked->spans += start == looked->span && size == 8 * MIB;
    looked->tables += start != looked->span && size >= 64 * 2 * sizeof(uintptr_t) && *(void **)start == looked->span;
}

/* Who looks for lost blocks has to know that the table's own addresses are no pointers of the program. */
HAK_TEST(Kept, VisitsTheTableOfSpansToo) {
    hak_kept_purge(UINT64_MAX);
    const struct mapping mapping = take(8 * MIB, CHUNK);
    hak_kept_free(mapping.start, mapping.size);
    struct looked looked = {.span = mapping.start};
    hak_kept_for_each(look_at, &looked);
    HAK_EXPECT_EQ(looked.spans, 1);
    HAK_EXPECT_EQ(looked.tables, 1);
    hak_kept_purge(UINT64_MAX);
}

/* So many chunks side by side that were slabs, written all over, and decay now. */
static void make_dirty_chunks(unsigned count) {
    struct span span;
    hak_free(hak_alloc(2 * MIB)); /* the table of huge blocks is there from now on */
    hak_kept_purge(UINT64_MAX);
    hak_region_purge(UINT64_MAX);
    HAK_ASSERT_TRUE(hak_region_span_alloc(count, 7, &span) == 0);
    memset(region_chunk_address(span.region, span.first), 1, count * CHUNK);
    hak_region_span_free(span.region, span.first, span.count);
    HAK_ASSERT_TRUE(hak_region_dirty_bytes() >= count * CHUNK);
}

HAK_TEST(Region, ChunksThatDecayAreReusedUntilGivenBack) {
    make_dirty_chunks(40);
    const size_t dirty = hak_region_dirty_bytes();
    HAK_EXPECT_PTR_EQ(hak_region_reuse((unsigned)(dirty / CHUNK) + 1), NULL);
    char *start = (char *)hak_region_reuse(40);
    HAK_ASSERT_TRUE(start != NULL);
    HAK_EXPECT(hak_region_contains(start));
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty - 40 * CHUNK);
    HAK_EXPECT_EQ(hak_region_chunk_class(start), 0);
    HAK_EXPECT_EQ(start[40 * CHUNK - 1], 1);
    hak_region_purge(UINT64_MAX);
    HAK_EXPECT_EQ(start[0], 1); /* what is used again does not decay */
    hak_region_reuse_end(start + 30 * CHUNK, 10);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), 10 * CHUNK);
    hak_region_reuse_end(start, 30);
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), 40 * CHUNK);
    HAK_EXPECT_PTR_EQ(hak_region_reuse(1), NULL); /* what is not resident is no better than a mapping */
}

#define SKIP_WITH_GUARD_FULL() \
    if (HAK_GUARD_FULL) HAK_SKIP("huge blocks lie between inaccessible chunks, in mappings of their own")

HAK_TEST(Huge, BlockLiesInChunksThatDecay) {
    SKIP_WITH_GUARD_FULL();
    make_dirty_chunks(40);
    const size_t dirty = hak_region_dirty_bytes();
    struct os_counters before, after;
    hak_os_counters_get(&before);
    char *p = (char *)hak_alloc(2 * MIB + 1);
    hak_os_counters_get(&after);
    HAK_EXPECT(hak_region_contains(p));
    HAK_EXPECT_EQ(after.maps, before.maps);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty - 33 * CHUNK);
    struct hak_owner_info info;
    HAK_EXPECT(hak_owner(p + MIB, &info));
    HAK_EXPECT_PTR_EQ(info.block, p);
    HAK_EXPECT_EQ(info.pool, HAK_POOL_HUGE);
    HAK_EXPECT_EQ(hak_usable_size(p), 33 * CHUNK);
    hak_free(p);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty);
    char *zeroed = (char *)hak_calloc(2 * MIB, 1); /* in the same chunks */
    HAK_EXPECT(hak_region_contains(zeroed));
    HAK_EXPECT(pattern_all_zero(zeroed, 2 * MIB));
    hak_free(zeroed);
}

HAK_TEST(Huge, AlignedBlockIsAMapping) {
    SKIP_WITH_GUARD_FULL();
    make_dirty_chunks(40);
    void *p = hak_aligned_alloc(2 * CHUNK, 2 * MIB);
    HAK_EXPECT(!hak_region_contains(p));
    HAK_EXPECT_EQ((uintptr_t)p % (2 * CHUNK), 0);
    hak_free(p);
}

HAK_TEST(Huge, ReusedBlockShrinksInPlaceAndGivesItsEndBack) {
    SKIP_WITH_GUARD_FULL();
    make_dirty_chunks(40);
    char *p = (char *)hak_alloc(40 * CHUNK);
    HAK_ASSERT_TRUE(hak_region_contains(p));
    pattern_fill(p, 40 * CHUNK, 3);
    const size_t dirty = hak_region_dirty_bytes();
    HAK_EXPECT_PTR_EQ(hak_realloc(p, 39 * CHUNK + 1), p);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty);
    HAK_EXPECT_PTR_EQ(hak_realloc(p, 20 * CHUNK), p);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty + 20 * CHUNK);
    HAK_EXPECT_EQ(hak_usable_size(p), 20 * CHUNK);
    HAK_EXPECT(pattern_holds(p, 20 * CHUNK, 3));
    hak_free(p);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty + 40 * CHUNK);
}

/* By little: to a mapping, where it grows without a copy from then on. By much: to wherever there is room. */
HAK_TEST(Huge, ReusedBlockGrowsByMoving) {
    SKIP_WITH_GUARD_FULL();
    const unsigned sizes[] = {25, 60};
    for (unsigned i = 0; i < 2; i++) {
        make_dirty_chunks(90);
        char *p = (char *)hak_alloc(20 * CHUNK);
        HAK_ASSERT_TRUE(hak_region_contains(p));
        pattern_fill(p, 20 * CHUNK, i);
        char *moved = (char *)hak_realloc(p, sizes[i] * CHUNK);
        HAK_EXPECT(moved != p);
        HAK_EXPECT_EQ(hak_region_contains(moved), i == 1);
        HAK_EXPECT(pattern_holds(moved, 20 * CHUNK, i));
        hak_free(moved);
    }
}
