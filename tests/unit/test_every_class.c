/* SPDX-License-Identifier: MIT */
/* Every class of every pool: several slabs filled, then freed in each order and by another thread, the
 * statistics followed along the way. */
#include <stdlib.h>
#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/threads.h"

#define SLABS_WANTED 3
#define BLOCKS_MAX 65536
#define FULL_CHECK_MAX 4096 /* larger blocks are marked on each page only */

struct fill {
    unsigned class_index;
    struct hak_class_stats before;
    size_t count;
    void *blocks[BLOCKS_MAX];
};

static void mark(void *p, size_t size, uint64_t seed) {
    if (size <= FULL_CHECK_MAX)
        pattern_fill(p, size, seed);
    else
        pattern_mark_pages(p, size, seed);
}

static bool marked(const void *p, size_t size, uint64_t seed) {
    return size <= FULL_CHECK_MAX ? pattern_holds(p, size, seed) : pattern_pages_hold(p, size, seed);
}

/* Allocates until the class has SLABS_WANTED slabs more than before. */
static void fill_slabs(struct fill *fill, unsigned class_index) {
    fill->class_index = class_index;
    fill->before = census_class(class_index);
    fill->count = 0;
    size_t size = fill->before.block_size;
    size_t step = size < HAK_CHUNK_BYTES / 4 ? HAK_CHUNK_BYTES / 4 / size : 1; /* blocks between two looks */
    while (fill->count + step <= BLOCKS_MAX) {
        for (size_t i = 0; i < step; i++) {
            void *p = hak_alloc(size);
            HAK_ASSERT_TRUE(p != NULL);
            mark(p, size, fill->count);
            fill->blocks[fill->count++] = p;
        }
        if (census_class(class_index).slabs >= fill->before.slabs + SLABS_WANTED) break;
    }
    struct hak_class_stats full = census_class(class_index);
    HAK_EXPECT_GE(full.slabs, fill->before.slabs + SLABS_WANTED);
    HAK_EXPECT_EQ(full.live_blocks, fill->before.live_blocks + fill->count);
    HAK_EXPECT_EQ(full.live_bytes, full.live_blocks * size);
    HAK_EXPECT_EQ(full.allocations - full.frees, full.live_blocks);
    HAK_EXPECT_GE(full.allocations, full.live_blocks);
    CENSUS_EXPECT_ALLOCATIONS(fill->before.allocations, full.allocations, fill->count);
}

static void free_block(const struct fill *fill, size_t index) {
    size_t size = fill->before.block_size;
    HAK_EXPECT(marked(fill->blocks[index], size, index));
    hak_free(fill->blocks[index]);
}

static void free_last_first(struct fill *fill) {
    for (size_t i = fill->count; i-- > 0;) free_block(fill, i);
}

static void free_first_first(struct fill *fill) {
    for (size_t i = 0; i < fill->count; i++) free_block(fill, i);
}

static void free_in_random_order(struct fill *fill) {
    static uint32_t order[BLOCKS_MAX];
    uint64_t random = 20240229;
    for (size_t i = 0; i < fill->count; i++) {
        size_t j = random_xorshift64(&random) % (i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    for (size_t i = 0; i < fill->count; i++) free_block(fill, order[i]);
}

static void free_first_first_in_thread(void *fill, unsigned index) {
    (void)index;
    free_first_first((struct fill *)fill);
}

static void free_in_another_thread(struct fill *fill) { threads_run(1, free_first_first_in_thread, fill); }

static void for_every_class(void (*free_all)(struct fill *fill)) {
    struct fill *fill = (struct fill *)malloc(sizeof *fill);
    HAK_ASSERT_TRUE(fill != NULL);
    for (unsigned c = 1; c < hak_class_count(); c++) {
        fill_slabs(fill, c);
        free_all(fill);
        struct hak_class_stats after = census_class(c);
        HAK_EXPECT_EQ(after.live_blocks, fill->before.live_blocks);
        HAK_EXPECT_EQ(after.allocations - after.frees, after.live_blocks);
        CENSUS_EXPECT_ALLOCATIONS(fill->before.allocations, after.allocations, fill->count);
        CENSUS_EXPECT_ALLOCATIONS(fill->before.frees, after.frees, fill->count);
        HAK_EXPECT(after.frees != 0 || !census_all().exact); /* an estimate of few may be 0 */
    }
    free(fill);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(EveryClass, FreedLastFirst) { for_every_class(free_last_first); }
HAK_TEST(EveryClass, FreedFirstFirst) { for_every_class(free_first_first); }
HAK_TEST(EveryClass, FreedInRandomOrder) { for_every_class(free_in_random_order); }

HAK_TEST(EveryClass, FreedByAnotherThread) {
    uint64_t before = census_all().remote_frees;
    for_every_class(free_in_another_thread);
    HAK_EXPECT_GT(census_all().remote_frees, before);
}

HAK_TEST(EveryClass, BlockSizesAscendAndServeTheirOwnSize) {
    size_t last = 0;
    struct hak_class_stats stats;
    HAK_EXPECT(!hak_class_get_stats(0, &stats));
    HAK_EXPECT(!hak_class_get_stats(hak_class_count(), &stats));
    for (unsigned c = 1; c < hak_class_count(); c++) {
        size_t size = census_class(c).block_size;
        HAK_EXPECT_GT(size, last);
        HAK_EXPECT_EQ(census_class_of_size(size), c);
        HAK_EXPECT_EQ(census_class_of_size(last + 1), c);
        last = size;
    }
    HAK_EXPECT_EQ(last, HAK_L25_MAX);
    HAK_EXPECT_EQ(census_class_of_size(last + 1), 0);
}

HAK_TEST(EveryClass, ExchangesAreCounted) {
    uint64_t before = census_all().exchanges;
    for (int i = 0; i < 10000; i++) hak_free(hak_alloc(64));
    HAK_EXPECT_GT(census_all().exchanges, before);
}
