/* SPDX-License-Identifier: MIT */
/* The ways to ask for statistics say the same, blocks of size 0 are there once, and who asks leaves nothing behind. */
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/ladder/branches.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/size_class/size_class.h"
#include "tests/harness/harness.h"

enum { CLASSES_MOST = 256, ZERO_SIZED = 100 };

static void expect_pools_equal(const struct hak_pool_stats *a, const struct hak_pool_stats *b) {
    HAK_EXPECT_EQ(a->allocations, b->allocations);
    HAK_EXPECT_EQ(a->frees, b->frees);
    HAK_EXPECT_EQ(a->live_blocks, b->live_blocks);
    HAK_EXPECT_EQ(a->live_bytes, b->live_bytes);
}

HAK_TEST_ISOLATED(StatsTotals, AreTheSameWithTheClasses, "") {
    static struct hak_class_stats classes[CLASSES_MOST];
    struct hak_stats alone, beside;
    void *const tiny = hak_alloc(40), *const l2 = hak_alloc(5000), *const huge = hak_alloc((size_t)3 << 20);
    memset(&beside, 0xEE, sizeof beside);
    hak_stats_get(&alone);
    HAK_EXPECT_GT(hak_stats_get_classes(&beside, classes, CLASSES_MOST), 0);
    HAK_EXPECT_GT(alone.tiny.live_blocks, 0);
    HAK_EXPECT_GT(alone.l2.live_blocks, 0);
    expect_pools_equal(&alone.tiny, &beside.tiny);
    expect_pools_equal(&alone.l2, &beside.l2);
    expect_pools_equal(&alone.l25, &beside.l25);
    HAK_EXPECT_EQ(alone.threads, beside.threads);
    hak_free(tiny);
    hak_free(l2);
    hak_free(huge);
}

static uint64_t allocations(void) {
    struct hak_stats stats;
    hak_stats_get(&stats);
    return stats.tiny.allocations + stats.l2.allocations + stats.l25.allocations;
}

static bool is_exact(void) {
    struct hak_stats stats;
    hak_stats_get(&stats);
    return stats.exact;
}

static bool visit(const struct hak_walk_block *block, void *argument) {
    (void)block;
    ++*(unsigned *)argument;
    return true;
}

static unsigned walked(void) {
    unsigned blocks = 0;
    HAK_EXPECT_EQ(hak_walk(visit, &blocks, NULL), 0);
    return blocks;
}

/* With guard full they lie in a range of their own, and count as of the first class. A walk passes each. */
HAK_TEST_ISOLATED(StatsTotals, HaveBlocksOfSizeZeroOnce, "HAKMEM_GUARD=zero_size") {
    void *blocks[ZERO_SIZED];
    hak_free(hak_alloc(0));
    const uint64_t before = allocations();
    const unsigned others = walked();
    for (unsigned i = 0; i < ZERO_SIZED; i++) blocks[i] = hak_alloc(0);
    if (is_exact()) HAK_EXPECT_EQ(allocations(), before + ZERO_SIZED);
    HAK_EXPECT_EQ(walked(), others + ZERO_SIZED);
    for (unsigned i = 0; i < ZERO_SIZED; i++) hak_free(blocks[i]);
    HAK_EXPECT_EQ(walked(), others);
}

HAK_TEST_ISOLATED(StatsTotals, AWalkLeavesNoMemoryBehind, "") {
    struct os_counters before, after;
    unsigned blocks = 0;
    void *const p = hak_alloc(100), *const huge = hak_alloc((size_t)3 << 20);
    hak_os_counters_get(&before);
    for (unsigned i = 0; i < 3; i++) HAK_EXPECT_EQ(hak_walk(visit, &blocks, NULL), 0);
    hak_os_counters_get(&after);
    HAK_EXPECT_GE(blocks, 3 * 2);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
    HAK_EXPECT_EQ(after.maps - before.maps, after.unmaps - before.unmaps);
    hak_free(p);
    hak_free(huge);
}

static bool expect_other(const struct hak_walk_block *block, void *parked) {
    HAK_EXPECT(block->start != parked);
    return true;
}

/* A block that is to be sampled next waits beside its magazine, and is as free as those in it. */
HAK_TEST_ISOLATED(StatsTotals, AWalkFindsNoParkedBlock, "") {
    enum { BLOCKS = 2000, SIZE = 64 };
    static void *blocks[BLOCKS];
    unsigned found = 0;
    if (hak_profile_start(2048) != 0) HAK_SKIP("the build has no profile");
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(SIZE);
        void *const parked = hak_self->samples[size_class_of(SIZE)].parked;
        if (parked == NULL || found == 3) continue;
        found++;
        HAK_EXPECT_EQ(hak_walk(expect_other, parked, NULL), 0);
    }
    if (ladder_reads_slots()) HAK_EXPECT_EQ(found, 3);
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    hak_profile_stop();
}
