/* SPDX-License-Identifier: MIT */
/* Which region a span comes from, and how many regions are looked at for it: the oldest that has the room in dirty chunks, else
 * in any, and no more of them where there are many. Each find of hak_runs_find is one look at a region. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_list.h"
#include "hakmem/region/runs.h"
#include "tests/harness/harness.h"

#define CLASS 7u
#define LONGEST 16u /* chunks of a slab, at most */
#define SPANS_MOST 24000u

static unsigned looks;

struct region *__real_hak_runs_find(enum region_runs kind, unsigned node, unsigned from, unsigned run);
struct region *__wrap_hak_runs_find(enum region_runs kind, unsigned node, unsigned from, unsigned run);

struct region *__wrap_hak_runs_find(enum region_runs kind, unsigned node, unsigned from, unsigned run) {
    struct region *found = __real_hak_runs_find(kind, node, from, run);
    looks += found != NULL;
    return found;
}

static struct span spans[SPANS_MOST];
static unsigned span_count;
static uint64_t random_state = 4711;

static unsigned random_below(unsigned bound) { return (unsigned)(random_xorshift64(&random_state) % bound); }

static void take(unsigned count) {
    HAK_CHECK(span_count < SPANS_MOST);
    HAK_EXPECT_EQ(hak_region_span_alloc(count, CLASS, &spans[span_count]), 0);
    span_count++;
}

static void free_one_at_random(void) {
    const unsigned at = random_below(span_count);
    hak_region_span_free(spans[at].region, spans[at].first, spans[at].count);
    spans[at] = spans[--span_count];
}

static void free_all(void) {
    while (span_count > 0) free_one_at_random();
    (void)hak_region_purge(DECAY_EVERYTHING);
}

/* Until there are so many regions, all but the last full. */
static void grow_to(size_t regions) {
    hak_process_begin();
    while (hak_region_count_now() < regions || span_count < regions * 20) take(LONGEST);
}

/* By looking at each region. */
static const struct region *oldest_with_run(unsigned count, bool is_dirty) {
    for (const struct region *region = hak_regions.first; region != NULL; region = region->next) {
        const uint64_t *const chunks = is_dirty ? region->dirty : region->free;
        unsigned longest;
        if (bitmap_find_run(chunks, HAK_REGION_CHUNKS, count, &longest) < HAK_REGION_CHUNKS) return region;
    }
    return NULL;
}

HAK_TEST_ISOLATED(Runs, TheOldestRegionThatHasTheRoom, "") {
    unsigned later = 0, clean = 0;
    grow_to(70); /* more than fit the first table */
    for (unsigned i = 0; i < 4000; i++) {
        if (random_below(2) == 0 && span_count > 0) {
            free_one_at_random();
            continue;
        }
        if (random_below(10) == 0) (void)hak_region_purge(DECAY_EVERYTHING);
        const unsigned count = 1 + random_below(LONGEST);
        const struct region *const dirty = oldest_with_run(count, true), *const any = oldest_with_run(count, false);
        take(count);
        if (dirty != NULL) HAK_EXPECT_PTR_EQ(spans[span_count - 1].region, dirty);
        if (dirty == NULL && any != NULL) HAK_EXPECT_PTR_EQ(spans[span_count - 1].region, any);
        later += dirty != NULL && dirty != any;
        clean += dirty == NULL && any != NULL;
    }
    HAK_EXPECT_GT(later, 50); /* both ways were met */
    HAK_EXPECT_GT(clean, 50);
}

/* Looks at regions for each of many spans, beside that many regions that are full. */
static double looks_a_span(size_t regions) {
    grow_to(regions);
    const unsigned changes = 4000;
    looks = 0;
    for (unsigned i = 0; i < changes; i++) {
        free_one_at_random();
        take(1 + random_below(LONGEST));
    }
    return (double)looks / changes;
}

HAK_TEST_ISOLATED(Runs, FewRegionsAreLookedAtHoweverManyThereAre, "") {
    const size_t regions[] = {32, 128, 640}; /* the last are 20 GiB */
    for (unsigned i = 0; i < sizeof regions / sizeof regions[0]; i++) {
        const double seen = looks_a_span(regions[i]);
        printf("%zu regions: %.2f looked at for a span\n", regions[i], seen);
        HAK_EXPECT(seen >= 1);
        HAK_EXPECT(seen <= 4);
    }
}

#define EIGHTH 80u /* regions: 2.5 GiB */

/* A heap that only grows: the last eighth of it takes as few looks as the first. */
HAK_TEST_ISOLATED(Runs, EachEighthOfAHeapThatGrowsTakesAsFewLooks, "") {
    for (unsigned eighth = 1; eighth <= 8; eighth++) {
        const unsigned before = span_count;
        looks = 0;
        grow_to(eighth * EIGHTH);
        printf("eighth %u: %.2f looked at for a span\n", eighth, (double)looks / (span_count - before));
        HAK_EXPECT_LE(looks, 2 * (span_count - before));
    }
}

#define LARGE ((size_t)200000)
#define LARGE_BLOCKS 2000u

/* Made and freed, some times. Result: looks for each malloc with its free, the purges among them. */
static double looks_a_large_block(void) {
    static void *blocks[LARGE_BLOCKS];
    const unsigned rounds = 5;
    looks = 0;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < LARGE_BLOCKS; i++) HAK_CHECK((blocks[i] = hak_alloc(LARGE)) != NULL);
        for (unsigned i = 0; i < LARGE_BLOCKS; i++) hak_free(blocks[i]);
    }
    return (double)looks / (rounds * LARGE_BLOCKS);
}

HAK_TEST_ISOLATED(Runs, LargeBlocksTakeFewLooksBesideMuchThatStands, "") {
    const size_t regions[] = {1, 256, 768}; /* 8 and 24 GiB */
    for (unsigned i = 0; i < sizeof regions / sizeof regions[0]; i++) {
        grow_to(regions[i]);
        const double seen = looks_a_large_block();
        printf("beside %zu regions: %.2f looked at for a large block\n", regions[i], seen);
        HAK_EXPECT(seen <= 4);
    }
}

HAK_TEST_ISOLATED(Runs, APurgeLooksAtRegionsThatHaveSomethingToPurge, "") {
    grow_to(200);
    free_all();
    take(1);
    free_one_at_random();
    looks = 0;
    (void)hak_region_purge(DECAY_EVERYTHING);
    printf("%u regions looked at to purge one chunk\n", looks);
    HAK_EXPECT_LE(looks, 3);
}

HAK_TEST_ISOLATED(Runs, HugeBlocksLookAtRegionsThatHaveTheRoom, "") {
    grow_to(200);
    while (span_count > 150) free_one_at_random();
    /* More dirty chunks than a block takes, and no run that it fits. */
    looks = 0;
    for (unsigned i = 0; i < 1000; i++)
        HAK_EXPECT_PTR_EQ(hak_region_reuse(HAK_REGION_CHUNKS - REGION_CHUNK_FIRST + 1), NULL);
    HAK_EXPECT_EQ(looks, 0);
    for (unsigned i = 0; i < 1000; i++) {
        void *start = hak_region_reuse(LONGEST);
        HAK_EXPECT(start != NULL);
        hak_region_reuse_end(start, LONGEST);
    }
    printf("%.2f regions looked at for a huge block\n", looks / 1000.0);
    HAK_EXPECT_LE(looks, 4000);
}

/* ---- The trees alone ---- */

#define FAKES 600u /* more than the second table has room for */
#define FAKE_NODE 1u

static unsigned unmaps;

int __real_hak_os_unmap(void *start, size_t size);
int __wrap_hak_os_unmap(void *start, size_t size);

int __wrap_hak_os_unmap(void *start, size_t size) {
    unmaps++;
    return __real_hak_os_unmap(start, size);
}

static struct region *fakes[FAKES];
static uint16_t bounds[RUNS_KINDS][FAKES]; /* that each has */
static unsigned fake_count;

static struct region *lowest_with(unsigned kind, unsigned from, unsigned run) {
    for (unsigned i = from; i < fake_count; i++) {
        if (bounds[kind][i] >= run) return fakes[i];
    }
    return NULL;
}

/* Of the header alone the first pages are touched. */
static void add_fake(char *memory) {
    fakes[fake_count] = (struct region *)(memory + fake_count * sizeof(struct region));
    fakes[fake_count]->node = FAKE_NODE;
    unmaps = 0;
    HAK_EXPECT_EQ(hak_runs_reserve(FAKE_NODE), 0);
    /* A table for 64 regions, and then one eight times as large in its place. */
    HAK_EXPECT_EQ(unmaps, fake_count == 64 || fake_count == 512 ? 1 : 0);
    hak_runs_add(fakes[fake_count]);
    HAK_EXPECT_EQ(fakes[fake_count]->number, fake_count);
    fake_count++;
}

static void expect_found(void) {
    const unsigned kind = random_below(RUNS_KINDS), run = 1 + random_below(random_below(4) == 0 ? 500 : 40);
    const unsigned from = random_below(3) == 0 ? 0 : random_below(fake_count + 1);
    HAK_EXPECT_PTR_EQ(hak_runs_find(kind, FAKE_NODE, from, run), lowest_with(kind, from, run));
}

static void change_bound(void) {
    const unsigned kind = random_below(RUNS_KINDS), at = random_below(fake_count);
    const unsigned run = random_below(random_below(8) == 0 ? 493 : 30);
    const bool is_set = random_below(4) != 0;
    if (is_set) {
        hak_runs_set(kind, fakes[at], run);
    } else {
        hak_runs_raise(kind, fakes[at], run);
    }
    if (is_set || bounds[kind][at] < run) bounds[kind][at] = (uint16_t)run;
}

/* The regions of a node are added while their bounds change; at times all but a few have none. */
HAK_TEST_ISOLATED(Runs, EachSearchFindsTheLowestNumber, "") {
    hak_process_begin();
    const size_t bytes = FAKES * sizeof(struct region);
    char *const memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    HAK_ASSERT_TRUE(memory != MAP_FAILED);
    HAK_EXPECT_PTR_EQ(hak_runs_find(RUNS_FREE, FAKE_NODE, 0, 1), NULL);
    while (fake_count < FAKES && harness_failure_count() == 0) {
        add_fake(memory);
        for (unsigned i = 0; i < 40; i++) {
            change_bound();
            expect_found();
        }
        if (fake_count % 50 != 0) continue;
        for (unsigned kind = 0; kind < RUNS_KINDS; kind++) {
            for (unsigned at = 0; at < fake_count; at++) {
                hak_runs_set(kind, fakes[at], 0);
                bounds[kind][at] = 0;
            }
        }
        for (unsigned i = 0; i < 200; i++) {
            if (i % 50 == 0) change_bound();
            expect_found();
        }
    }
    HAK_EXPECT_EQ(fake_count, FAKES);
}
