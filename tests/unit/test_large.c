/* Large spans: mappings of their own, reused while they decay. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/process.h"
#include "hakmem/os/os.h"
#include "hakmem/region/large.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"

#define MIB ((size_t)1 << 20)
#define CHUNK ((size_t)HAK_CHUNK_BYTES)

struct large {
    void *start;
    size_t size;
    bool zeroed;
};

static struct large take(size_t size, size_t alignment) {
    struct large large = {NULL, size, false};
    process_begin();
    HAK_EXPECT_EQ(large_alloc(size, alignment, &large.start, &large.zeroed), 0);
    HAK_EXPECT_EQ((uintptr_t)large.start % alignment, 0);
    return large;
}

HAK_TEST(Large, FreshSpansAreZero) {
    large_purge(UINT64_MAX);
    struct large large = take(2 * MIB, CHUNK);
    HAK_EXPECT(large.zeroed);
    HAK_EXPECT(pattern_all_zero(large.start, large.size));
    large_free(large.start, large.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, FreedSpanIsUsedAgain) {
    large_purge(UINT64_MAX);
    struct large large = take(4 * MIB, CHUNK);
    large_free(large.start, large.size);
    HAK_EXPECT_EQ(large_dirty_bytes(), large.size);
    struct large again = take(4 * MIB, CHUNK);
    HAK_EXPECT_PTR_EQ(again.start, large.start);
    HAK_EXPECT(!again.zeroed);
    HAK_EXPECT_EQ(large_dirty_bytes(), 0);
    large_free(again.start, again.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, WhatIsLeftOfASpanIsKept) {
    large_purge(UINT64_MAX);
    struct os_counters before, after;
    struct large large = take(16 * MIB, CHUNK);
    large_free(large.start, large.size);
    os_counters_get(&before);
    struct large first = take(2 * MIB, CHUNK), second = take(5 * MIB, CHUNK);
    HAK_EXPECT_PTR_EQ(first.start, (char *)large.start + 14 * MIB);
    HAK_EXPECT_PTR_EQ(second.start, (char *)large.start + 9 * MIB);
    HAK_EXPECT_EQ(large_dirty_bytes(), 9 * MIB);
    HAK_EXPECT(large_is_kept(large.start));
    HAK_EXPECT(large_is_kept((char *)second.start - 1));
    HAK_EXPECT(!large_is_kept(second.start));
    /* Neighbours become one span again. */
    large_free(first.start, first.size);
    large_free(second.start, second.size);
    HAK_EXPECT(large_is_kept(second.start));
    HAK_EXPECT_EQ(large_dirty_bytes(), 16 * MIB);
    struct large whole = take(16 * MIB, CHUNK);
    HAK_EXPECT_PTR_EQ(whole.start, large.start);
    os_counters_get(&after);
    HAK_EXPECT_EQ(after.maps, before.maps);
    HAK_EXPECT_EQ(after.unmaps, before.unmaps);
    large_free(whole.start, whole.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, AlignedSpanIsCutOutOfTheMiddle) {
    large_purge(UINT64_MAX);
    struct large large = take(16 * MIB, 4 * MIB);
    large_free(large.start, large.size);
    struct large end = take(MIB, CHUNK), aligned = take(2 * MIB, 4 * MIB);
    HAK_EXPECT_PTR_EQ(aligned.start, (char *)large.start + 12 * MIB);
    HAK_EXPECT_EQ(aligned.size, 2 * MIB);
    HAK_EXPECT_EQ(large_dirty_bytes(), 13 * MIB);
    large_free(end.start, end.size);
    large_free(aligned.start, aligned.size);
    HAK_EXPECT_EQ(large_purge(UINT64_MAX), 16 * MIB);
}

HAK_TEST(Large, JoinedSpanIsAsOldAsItsOldestPart) {
    large_purge(UINT64_MAX);
    struct large large = take(8 * MIB, CHUNK);
    large_free(large.start, large.size);
    const uint64_t freed = os_clock_ms();
    struct large part = take(2 * MIB, CHUNK);
    while (os_clock_ms() <= freed) {
    }
    large_free(part.start, part.size);
    HAK_EXPECT_EQ(large_purge(freed), 8 * MIB);
}

HAK_TEST(Large, BestFitIsTaken) {
    large_purge(UINT64_MAX);
    /* Out of one span, so that they lie in this order. */
    struct large all = take(8 * MIB, CHUNK);
    large_free(all.start, all.size);
    struct large close = take(4 * MIB, CHUNK), between = take(MIB, CHUNK), closer = take(3 * MIB, CHUNK);
    large_free(closer.start, closer.size);
    large_free(close.start, close.size);
    struct large again = take(3 * MIB - CHUNK, CHUNK);
    HAK_EXPECT_PTR_EQ(again.start, (char *)closer.start + CHUNK);
    large_free(between.start, between.size);
    large_free(again.start, again.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, ReuseKeepsTheAlignment) {
    for (size_t alignment = CHUNK; alignment <= 64 * MIB; alignment *= 4) {
        struct large large = take(2 * MIB, alignment);
        large_free(large.start, large.size);
    }
    for (size_t alignment = 64 * MIB; alignment >= CHUNK; alignment /= 2) {
        struct large large = take(2 * MIB, alignment);
        large_free(large.start, large.size);
    }
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, PurgeUnmapsWhatIsOldEnough) {
    large_purge(UINT64_MAX);
    struct os_counters before, after;
    struct large large = take(8 * MIB, CHUNK);
    os_counters_get(&before);
    uint64_t now = os_clock_ms();
    large_free(large.start, large.size);
    HAK_EXPECT_EQ(now == 0 ? 0 : large_purge(now - 1), 0);
    HAK_EXPECT_EQ(large_dirty_bytes(), large.size);
    HAK_EXPECT_EQ(large_purge(UINT64_MAX), large.size);
    HAK_EXPECT_EQ(large_dirty_bytes(), 0);
    os_counters_get(&after);
    HAK_EXPECT_EQ(after.unmaps, before.unmaps + 1);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes - large.size);
}

/* More spans than are kept, each between two that live: the oldest go, none is lost from the count. */
HAK_TEST(Large, KeepsALimitedNumber) {
    enum { SPANS = 200 };
    static struct large spans[SPANS];
    large_purge(UINT64_MAX);
    struct os_counters before, after;
    os_counters_get(&before);
    for (unsigned i = 0; i < SPANS; i++) spans[i] = take(2 * MIB, CHUNK);
    for (unsigned i = 0; i < SPANS; i += 2) large_free(spans[i].start, spans[i].size);
    HAK_EXPECT_LT(large_dirty_bytes(), SPANS / 2 * 2 * MIB);
    for (unsigned i = 1; i < SPANS; i += 2) large_free(spans[i].start, spans[i].size);
    large_purge(UINT64_MAX);
    os_counters_get(&after);
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
    large_free(place, size);
    large_free(place + size, size);
    *out = place;
}

/* mremap refuses to grow a block of two mappings. */
static void expect_resize(size_t size) {
    char *place = NULL;
    process_begin();
    large_purge(UINT64_MAX);
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

HAK_TEST_ISOLATED(Large, BlockOfTwoMappingsGrows, "") { expect_resize(12 * MIB); }

HAK_TEST_ISOLATED(Large, BlockOfTwoMappingsShrinks, "") { expect_resize(2 * MIB); }
