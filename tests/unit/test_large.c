/* Large spans: mappings of their own, reused while they decay. */
#include <stdint.h>
#include <string.h>

#include "hakmem/magazine/process.h"
#include "hakmem/os/os.h"
#include "hakmem/region/large.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"

#define MIB ((size_t)1 << 20)

static struct large take(size_t size, size_t alignment) {
    struct large large;
    memset(&large, 0, sizeof large);
    process_begin();
    HAK_EXPECT_EQ(large_alloc(size, alignment, &large), 0);
    HAK_EXPECT_GE(large.size, size);
    HAK_EXPECT_LE(large.size, size + LARGE_EXCESS_MAX);
    HAK_EXPECT_EQ((uintptr_t)large.start % alignment, 0);
    return large;
}

HAK_TEST(Large, FreshSpansAreZero) {
    large_purge(UINT64_MAX);
    struct large large = take(2 * MIB, 4096);
    HAK_EXPECT(large.zeroed);
    HAK_EXPECT(pattern_all_zero(large.start, large.size));
    large_free(large.start, large.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, FreedSpanIsUsedAgain) {
    large_purge(UINT64_MAX);
    struct large large = take(4 * MIB, 4096);
    large_free(large.start, large.size);
    HAK_EXPECT_EQ(large_dirty_bytes(), large.size);
    struct large again = take(4 * MIB - 4096, 4096);
    HAK_EXPECT_PTR_EQ(again.start, large.start);
    HAK_EXPECT(!again.zeroed);
    HAK_EXPECT_EQ(large_dirty_bytes(), 0);
    large_free(again.start, again.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, SpanThatIsMuchTooLargeIsCut) {
    large_purge(UINT64_MAX);
    struct os_counters before, after;
    struct large large = take(16 * MIB, 4096);
    large_free(large.start, large.size);
    os_counters_get(&before);
    struct large small = take(2 * MIB, 4096);
    os_counters_get(&after);
    HAK_EXPECT_PTR_EQ(small.start, large.start);
    HAK_EXPECT_EQ(small.size, 2 * MIB);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes - 14 * MIB);
    HAK_EXPECT_EQ(large_dirty_bytes(), 0);
    large_free(small.start, small.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, SpanThatIsALittleTooLargeIsLeftWhole) {
    large_purge(UINT64_MAX);
    struct large large = take(4 * MIB, 4096);
    large_free(large.start, large.size);
    struct large small = take(2 * MIB, 4096);
    HAK_EXPECT_PTR_EQ(small.start, large.start);
    HAK_EXPECT_EQ(small.size, large.size);
    large_free(small.start, small.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, SpanThatIsTooSmallGrows) {
    large_purge(UINT64_MAX);
    struct os_counters before, after;
    struct large small = take(2 * MIB, 4096);
    large_free(small.start, small.size);
    os_counters_get(&before);
    struct large large = take(6 * MIB, 4096);
    os_counters_get(&after);
    HAK_EXPECT_EQ(large.size, 6 * MIB);
    HAK_EXPECT(!large.zeroed);
    HAK_EXPECT_EQ(after.maps, before.maps);
    HAK_EXPECT_EQ(after.remaps, before.remaps + 1);
    HAK_EXPECT_EQ(large_dirty_bytes(), 0);
    memset(large.start, 1, large.size);
    large_free(large.start, large.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, BestFitIsTaken) {
    large_purge(UINT64_MAX);
    struct large close = take(80 * 4096 * 10, 4096), closer = take(78 * 4096 * 10, 4096);
    large_free(closer.start, closer.size);
    large_free(close.start, close.size);
    struct large again = take(77 * 4096 * 10, 4096);
    HAK_EXPECT_PTR_EQ(again.start, closer.start);
    large_free(again.start, again.size);
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, ReuseKeepsTheAlignment) {
    for (size_t alignment = 4096; alignment <= 64 * MIB; alignment *= 4) {
        struct large large = take(2 * MIB, alignment);
        large_free(large.start, large.size);
    }
    for (size_t alignment = 64 * MIB; alignment >= 4096; alignment /= 2) {
        struct large large = take(2 * MIB, alignment);
        large_free(large.start, large.size);
    }
    large_purge(UINT64_MAX);
}

HAK_TEST(Large, PurgeUnmapsWhatIsOldEnough) {
    large_purge(UINT64_MAX);
    struct os_counters before, after;
    struct large large = take(8 * MIB, 4096);
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

/* More spans than are kept: the oldest go, none is lost from the count. */
HAK_TEST(Large, KeepsALimitedNumber) {
    enum { SPANS = 200 };
    static struct large spans[SPANS];
    large_purge(UINT64_MAX);
    struct os_counters before, after;
    os_counters_get(&before);
    for (unsigned i = 0; i < SPANS; i++) spans[i] = take(2 * MIB, 4096);
    for (unsigned i = 0; i < SPANS; i++) large_free(spans[i].start, spans[i].size);
    HAK_EXPECT_LT(large_dirty_bytes(), SPANS * 2 * MIB);
    large_purge(UINT64_MAX);
    os_counters_get(&after);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
}
