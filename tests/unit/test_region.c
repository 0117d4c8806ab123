/* SPDX-License-Identifier: MIT */
/* Spans of chunks: disjoint, in the page map, lowest first; clean after a purge. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/options.h"
#include "hakmem/base/random.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge_pass.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_list.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"

#define CLASS 7u
#define MIB ((size_t)1 << 20)

static char *address_of(const struct span *span) { return (char *)region_chunk_address(span->region, span->first); }

static size_t bytes_of(const struct span *span) { return (size_t)span->count * HAK_CHUNK_BYTES; }

static struct span take(unsigned count, unsigned class_index) {
    struct span span;
    memset(&span, 0, sizeof span);
    hak_process_begin();
    HAK_EXPECT_EQ(hak_region_span_alloc(count, class_index, &span), 0);
    return span;
}

static void give_back(const struct span *span) { hak_region_span_free(span->region, span->first, span->count); }

HAK_TEST(Region, SpanIsInThePageMapWhileItIsUsed) {
    const unsigned counts[] = {1, 2, 16, 100, HAK_REGION_CHUNKS - REGION_CHUNK_FIRST};
    for (unsigned i = 0; i < 5; i++) {
        struct span span = take(counts[i], CLASS);
        char *start = address_of(&span);
        HAK_EXPECT_EQ(span.count, counts[i]);
        HAK_EXPECT_GE(span.first, REGION_CHUNK_FIRST);
        HAK_EXPECT_LE(span.first + span.count, HAK_REGION_CHUNKS);
        for (unsigned chunk = 0; chunk < span.count; chunk++) {
            HAK_EXPECT_EQ(hak_region_chunk_class(start + (size_t)chunk * HAK_CHUNK_BYTES), CLASS);
            HAK_EXPECT_EQ(hak_region_chunk_class(start + (size_t)chunk * HAK_CHUNK_BYTES + 65535), CLASS);
            HAK_EXPECT_EQ(span.region->span_first[span.first + chunk], span.first);
            HAK_EXPECT_EQ(span.region->chunk_class[span.first + chunk], CLASS);
        }
        HAK_EXPECT_PTR_EQ(region_of(start + bytes_of(&span) - 1), span.region);
        give_back(&span);
        HAK_EXPECT_EQ(hak_region_chunk_class(start), 0);
        HAK_EXPECT_EQ(hak_region_chunk_class(start + bytes_of(&span) - 1), 0);
    }
}

HAK_TEST(Region, NothingElseIsInThePageMap) {
    struct span span = take(1, CLASS);
    int local = 0;
    HAK_EXPECT_EQ(hak_region_chunk_class(NULL), 0);
    HAK_EXPECT_EQ(hak_region_chunk_class(&local), 0);
    HAK_EXPECT_EQ(hak_region_chunk_class(span.region), 0); /* the header */
    HAK_EXPECT_EQ(hak_region_chunk_class((void *)UINTPTR_MAX), 0);
    HAK_EXPECT_EQ(hak_region_chunk_class((void *)((uintptr_t)address_of(&span) | (uintptr_t)1 << 48)), 0);
    give_back(&span);
}

/* The library's own record of what is free against one that the test keeps. */
HAK_TEST(Region, RandomSpansAreDisjointAndKeepTheirContent) {
    enum { SPANS = 120 };
    static struct span spans[SPANS];
    memset(spans, 0, sizeof spans);
    uint64_t random = 31;
    for (unsigned round = 0; round < (unsigned)HAK_TEST_SCALE(4000); round++) {
        uint64_t value = random_xorshift64(&random);
        unsigned i = value % SPANS;
        struct span *span = &spans[i];
        if (span->count != 0) {
            HAK_ASSERT_TRUE(pattern_holds(address_of(span), 64, i));
            HAK_ASSERT_TRUE(pattern_holds(address_of(span) + bytes_of(span) - 64, 64, i));
            give_back(span);
            span->count = 0;
        } else {
            *span = take((unsigned)(value >> 16) % 16 + 1, 1 + i % 5);
            if (span->zeroed) HAK_EXPECT(pattern_all_zero(address_of(span), bytes_of(span)));
            pattern_fill(address_of(span), 64, i);
            pattern_fill(address_of(span) + bytes_of(span) - 64, 64, i);
        }
        if (round % 500 == 250) hak_region_purge(UINT64_MAX);
    }
    for (unsigned i = 0; i < SPANS; i++) {
        if (spans[i].count != 0) give_back(&spans[i]);
    }
}

/* Whether the kernel has noted that advice for the mapping around an address: "hg" and "nh" in smaps. */
static bool is_advised(const void *address, const char *advice) {
    char line[512];
    bool here = false, found = false;
    FILE *smaps = fopen("/proc/self/smaps", "r");
    HAK_EXPECT(smaps != NULL);
    while (fgets(line, sizeof line, smaps) != NULL) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) here = (uintptr_t)address - start < end - start;
        if (here && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, advice) != NULL;
    }
    fclose(smaps);
    return found;
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

/* Whole regions up to the first that had to be mapped, which is the last of `spans`. Result: how many. */
static unsigned take_up_to_new_region(struct span *spans, unsigned most) {
    struct os_counters before, after;
    hak_os_counters_get(&before);
    for (unsigned count = 1; count <= most; count++) {
        spans[count - 1] = take(HAK_REGION_CHUNKS - REGION_CHUNK_FIRST, CLASS);
        hak_os_counters_get(&after);
        if (after.maps > before.maps) return count;
    }
    HAK_EXPECT(false);
    return most;
}

#define SPANS 32

/* The last of them lies in the new region. */
static unsigned take_new_region(enum hak_thp thp, struct span *spans) {
    const enum hak_thp before = hak_options.thp;
    hak_options.thp = thp;
    const unsigned count = take_up_to_new_region(spans, SPANS);
    hak_options.thp = before;
    return count;
}

static bool has_huge_pages(const struct span *span) { return is_advised(address_of(span) + bytes_of(span) - 1, " hg"); }

static void expect_huge_pages_in_new_region(enum hak_thp thp, bool expected) {
    struct span spans[SPANS];
    const unsigned count = take_new_region(thp, spans);
    const struct span *last = &spans[count - 1];
    /* No huge page fits over a header: something between it and the first chunk is inaccessible. */
    HAK_EXPECT(is_inaccessible((char *)last->region + (size_t)REGION_CHUNK_FIRST * HAK_CHUNK_BYTES - 1));
    char *end = address_of(last) + bytes_of(last) - 1;
    HAK_EXPECT_EQ(has_huge_pages(last), expected);
    HAK_EXPECT(!is_advised(last->region, " hg"));
    for (unsigned i = 0; i < count; i++) give_back(&spans[i]);
    hak_region_purge(UINT64_MAX);
    /* Else the kernel would in time make huge pages of what the program uses a part of. */
    HAK_EXPECT(!is_advised(end, " hg"));
    HAK_EXPECT_NE(last->region->huge_pages, REGION_HUGE_PAGES_ASKED);
}

static pthread_barrier_t second_thread;

static void *wait_for_the_first(void *unused) {
    pthread_barrier_wait(&second_thread);
    return unused;
}

/* Whether the wait that begins with the first region that wants huge pages goes on. */
static void set_early(bool early) { hak_regions.huge_pages_from_ms = early ? UINT64_MAX - 1 : 1; }

/* pre: `auto` has all it wants but time */
static void expect_early_regions_to_wait(void) {
    struct span spans[SPANS];
    set_early(true);
    expect_huge_pages_in_new_region(HAK_THP_MADVISE, true);
    while (hak_decay_take()) {
    }
    const unsigned count = take_new_region(HAK_THP_AUTO, spans);
    struct span *last = &spans[count - 1];
    /* What a poll does, or the thread that purges. Each look that was too early is followed by another. */
    for (unsigned looks = 0; looks < 2; looks++) {
        HAK_EXPECT(hak_decay_is_due());
        hak_purge_aged(hak_os_clock_ms(), SIZE_MAX);
        HAK_EXPECT(!has_huge_pages(last));
    }
    HAK_EXPECT(hak_decay_is_due());
    set_early(false);
    hak_purge_aged(hak_os_clock_ms(), SIZE_MAX);
    HAK_EXPECT(has_huge_pages(last));
    HAK_EXPECT_EQ(last->region->huge_pages, REGION_HUGE_PAGES_ASKED);
    for (unsigned i = 0; i < count; i++) give_back(&spans[i]);
    hak_region_purge(UINT64_MAX);
    HAK_EXPECT(!has_huge_pages(last));
}

/* pre: as above */
static void expect_purged_region_to_ask_no_more(void) {
    struct span spans[SPANS];
    set_early(true);
    const unsigned count = take_new_region(HAK_THP_AUTO, spans);
    struct span *last = &spans[count - 1];
    HAK_EXPECT_EQ(last->region->huge_pages, REGION_HUGE_PAGES_WAITING);
    hak_region_settle(last->region);
    hak_region_ask_waiting(UINT64_MAX);
    HAK_EXPECT(!has_huge_pages(last));
    for (unsigned i = 0; i < count; i++) give_back(&spans[i]);
    hak_region_purge(UINT64_MAX);
}

HAK_TEST(Region, HugePagesAreAskedForAsTheOptionSays) {
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0) HAK_SKIP("the kernel has no huge pages");
    const struct span all = take(HAK_REGION_CHUNKS - REGION_CHUNK_FIRST, CLASS); /* nothing is skipped any more */
    give_back(&all);
    struct span first = take(1, CLASS); /* with `auto` a process's first region has none */
    expect_huge_pages_in_new_region(HAK_THP_NEVER, false);
    expect_huge_pages_in_new_region(HAK_THP_MADVISE, true);
    /* And the next only where the first is used: one page of a chunk, as by threads that each have a few blocks, then all. */
    struct span rest = take(HAK_REGION_CHUNKS - REGION_CHUNK_FIRST - 1, CLASS);
    HAK_EXPECT_PTR_EQ(rest.region, first.region);
    for (size_t i = 0; i < bytes_of(&rest); i += HAK_CHUNK_BYTES) *(address_of(&rest) + i) = 1;
    expect_huge_pages_in_new_region(HAK_THP_AUTO, false);
    memset(address_of(&rest), 1, bytes_of(&rest));
    /* A program of one thread is not asked for what it may have forbidden itself. */
    set_early(false);
    expect_huge_pages_in_new_region(HAK_THP_AUTO, false);
    pthread_t thread;
    HAK_ASSERT_TRUE(pthread_barrier_init(&second_thread, NULL, 2) == 0);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, wait_for_the_first, NULL) == 0);
    const uint64_t before_ms = hak_os_clock_ms();
    hak_regions.huge_pages_from_ms = 0;
    expect_huge_pages_in_new_region(HAK_THP_AUTO, false); /* the first one waits, and says until when */
    HAK_EXPECT_GE(hak_regions.huge_pages_from_ms, before_ms + 1000);
    expect_early_regions_to_wait();
    expect_purged_region_to_ask_no_more();
    set_early(false);
    expect_huge_pages_in_new_region(HAK_THP_AUTO, true);
    pthread_barrier_wait(&second_thread);
    pthread_join(thread, NULL);
    give_back(&rest);
    give_back(&first);
}

HAK_TEST(Region, LowestAddressesFirst) {
    hak_region_purge(UINT64_MAX); /* or what the tests before left resident comes first */
    struct span a = take(2, CLASS), b = take(2, CLASS), c = take(2, CLASS);
    give_back(&a);
    give_back(&b);
    struct span again = take(2, CLASS + 1);
    HAK_EXPECT_PTR_EQ(address_of(&again), address_of(&a));
    give_back(&again);
    struct span longer = take(4, CLASS + 1);
    HAK_EXPECT_PTR_EQ(address_of(&longer), address_of(&a));
    give_back(&longer);
    give_back(&c);
}

HAK_TEST(Region, ChunksOfTheSameClassBeforeThose) {
    hak_region_purge(UINT64_MAX);
    struct span a = take(1, CLASS), b = take(1, CLASS + 1), c = take(1, CLASS), d = take(1, CLASS + 2);
    give_back(&a);
    give_back(&b);
    give_back(&c);
    struct span again = take(1, CLASS + 1);
    HAK_EXPECT_PTR_EQ(address_of(&again), address_of(&b));
    struct span first = take(1, CLASS), second = take(1, CLASS);
    HAK_EXPECT_PTR_EQ(address_of(&first), address_of(&c));
    HAK_EXPECT_PTR_EQ(address_of(&second), address_of(&a));
    /* What was in use as another class meanwhile is of its class no more. */
    give_back(&first);
    struct span other = take(1, CLASS + 3);
    HAK_EXPECT_PTR_EQ(address_of(&other), address_of(&c));
    give_back(&other);
    give_back(&again);
    struct span lowest = take(1, CLASS);
    HAK_EXPECT_PTR_EQ(address_of(&lowest), address_of(&b));
    give_back(&lowest);
    give_back(&second);
    give_back(&d);
}

struct visits {
    const struct span *expected;
    unsigned found, others;
};

static void visit(struct region *region, unsigned first, void *argument) {
    struct visits *visits = (struct visits *)argument;
    for (unsigned i = 0; i < 3; i++) {
        if (visits->expected[i].region == region && visits->expected[i].first == first) {
            visits->found++;
            return;
        }
    }
    visits->others++;
}

HAK_TEST(Region, WalkVisitsEachUsedSpanOnce) {
    const struct span spans[3] = {take(1, CLASS), take(3, CLASS), take(16, CLASS)};
    struct visits visits = {spans, 0, 0};
    hak_region_for_each_span(visit, &visits);
    HAK_EXPECT_EQ(visits.found, 3);
    for (unsigned i = 0; i < 3; i++) give_back(&spans[i]);
    struct visits after = {spans, 0, 0};
    hak_region_for_each_span(visit, &after);
    HAK_EXPECT_EQ(after.found, 0);
    HAK_EXPECT_EQ(after.others, visits.others);
}

HAK_TEST(Region, FreedSpansAreDirtyUntilPurged) {
    hak_region_purge(UINT64_MAX);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), 0);
    struct span span = take(300, CLASS);
    HAK_EXPECT(span.zeroed);
    memset(address_of(&span), 0xEE, bytes_of(&span));
    size_t resident = system_resident_bytes();
    uint64_t before_free = hak_os_clock_ms();
    give_back(&span);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), bytes_of(&span));
    HAK_EXPECT_EQ(before_free == 0 ? 0 : hak_region_purge(before_free - 1), 0); /* nothing is that old */
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), bytes_of(&span));
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), bytes_of(&span));
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), 0);
    HAK_EXPECT_LT(system_resident_bytes(), resident - bytes_of(&span) + 4 * MIB);
    HAK_EXPECT_EQ(hak_region_purge(UINT64_MAX), 0);
    struct span again = take(300, CLASS);
    HAK_EXPECT_PTR_EQ(address_of(&again), address_of(&span));
    HAK_EXPECT(again.zeroed);
    HAK_EXPECT(pattern_all_zero(address_of(&again), bytes_of(&again)));
    give_back(&again);
}

HAK_TEST(Region, ReusedSpanIsNotClaimedToBeZero) {
    struct span span = take(1, CLASS);
    memset(address_of(&span), 1, 100);
    give_back(&span);
    struct span again = take(1, CLASS);
    HAK_EXPECT_PTR_EQ(address_of(&again), address_of(&span));
    HAK_EXPECT(!again.zeroed);
    give_back(&again);
}

/* Where a search found that no free run is long enough, a free that makes one is noticed. */
HAK_TEST_ISOLATED(Region, RunThatAFreeMakesIsFound, "HAKMEM_PURGE_DELAY_MS=-1") {
    static struct span spans[HAK_REGION_CHUNKS];
    unsigned count = 0;
    spans[count++] = take(1, CLASS);
    struct region *region = spans[0].region;
    while (bitmap_count_run(region->free, 0, HAK_REGION_CHUNKS) + region->skipped > 0) spans[count++] = take(1, CLASS);
    give_back(&spans[10]);
    give_back(&spans[12]);
    struct span elsewhere = take(2, CLASS);
    HAK_EXPECT(elsewhere.region != region);
    give_back(&spans[11]);
    struct span joined = take(3, CLASS);
    HAK_EXPECT_PTR_EQ(address_of(&joined), address_of(&spans[10]));
}

HAK_TEST(Region, HeadersAreAccountedAsMetadata) {
    struct span span = take(1, CLASS);
    HAK_EXPECT_GE(hak_region_metadata_bytes(), sizeof(struct region));
    HAK_EXPECT_LE(sizeof(struct region), HAK_REGION_BYTES / 25);
    give_back(&span);
}
