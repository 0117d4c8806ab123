/* SPDX-License-Identifier: MIT */
/* NUMA nodes: a thread gets memory of the node that it runs on before that of others, and nothing is asked where there is one node.
 * The machine's nodes are the fake's. Slabs of one thread are taken here while it runs on one node and on the other. */
#include <stdint.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/node.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"

#define CLASS 5u
#define SELF 4711u
#define NEVER "HAKMEM_PURGE_DELAY_MS=-1"
#define NUMA "HAKMEM_NUMA=1 " NEVER

/* As if the process began on such a machine: nothing is allocated yet. */
static void begin_with(unsigned nodes) {
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_count_now() == 0);
    os_fake_nodes(nodes);
    hak_node_init();
}

static struct span take_span(unsigned count) {
    struct span span;
    memset(&span, 0, sizeof span);
    HAK_EXPECT_EQ(hak_region_span_alloc(count, CLASS, &span), 0);
    return span;
}

static void give_back(const struct span *span) { hak_region_span_free(span->region, span->first, span->count); }

static unsigned node_of(const struct slab *slab) { return region_of(slab)->node; }

/* One of the node in use, of which so many blocks are free; `blocks` are the others. */
static struct slab *make_partial(uint32_t free_blocks, void **blocks) {
    bool zeroed;
    struct slab *slab = hak_slab_create(CLASS, SELF);
    const uint32_t count = hak_slab_take(slab, CLASS, blocks, hak_classes[CLASS].blocks, &zeroed);
    HAK_EXPECT_EQ(hak_slab_free_blocks(SELF, CLASS, blocks + count - free_blocks, free_blocks), 0);
    hak_slab_detach(slab, CLASS);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_PARTIAL);
    return slab;
}

static void *first_blocks[65536], *second_blocks[65536];

HAK_TEST_ISOLATED(Node, ANewSlabIsOfTheNodeThatItsThreadRunsOn, NUMA) {
    begin_with(2);
    for (unsigned i = 0; i < 6; i++) {
        os_fake_run_on(i % 2);
        const struct slab *slab = hak_slab_create(CLASS, SELF);
        HAK_EXPECT_EQ(node_of(slab), i % 2);
    }
    HAK_EXPECT_EQ(hak_region_count_now(), 2);
}

HAK_TEST_ISOLATED(Node, AClaimPrefersItsOwnNodeAndFallsBackToOthers, NUMA) {
    const uint32_t blocks = hak_classes[CLASS].blocks;
    begin_with(3);
    os_fake_run_on(1);
    struct slab *near = make_partial(blocks * 7 / 8, first_blocks);
    os_fake_run_on(0);
    struct slab *far = make_partial(blocks / 4, second_blocks); /* fuller, and listed later */
    os_fake_run_on(1);
    HAK_EXPECT_PTR_EQ(hak_slab_claim(CLASS, SELF), near);
    HAK_EXPECT_PTR_EQ(hak_slab_claim(CLASS, SELF), far);
    HAK_EXPECT_PTR_EQ(hak_slab_claim(CLASS, SELF), NULL);
    /* Both are of their lists again: the next claim on the third node finds them all the same. */
    hak_slab_detach(near, CLASS);
    hak_slab_detach(far, CLASS);
    os_fake_run_on(2);
    HAK_EXPECT_PTR_EQ(hak_slab_claim(CLASS, SELF), far);
    HAK_EXPECT_PTR_EQ(hak_slab_claim(CLASS, SELF), near);
}

HAK_TEST_ISOLATED(Node, ASpanComesFromAnotherNodeOnlyIfNothingCanBeMapped, NUMA) {
    begin_with(2);
    os_fake_run_on(0);
    const struct span far = take_span(4);
    give_back(&far);
    os_fake_run_on(1);
    const struct span own = take_span(4);
    HAK_EXPECT_EQ(own.region->node, 1);
    HAK_EXPECT(own.region != far.region);
    os_fake_fail_from(1);
    struct span span = own;
    unsigned taken = 0;
    while (span.region == own.region && taken < HAK_REGION_CHUNKS) {
        span = take_span(4);
        taken++;
    }
    os_fake_reset();
    HAK_EXPECT_PTR_EQ(span.region, far.region);
}

/* More regions of a node than fit its first table. */
HAK_TEST_ISOLATED(Node, OfManyRegionsTheOldestOfTheNodeIsTaken, NUMA) {
    begin_with(2);
    static struct span spans[2][2000];
    for (unsigned i = 0; i < 2000; i++) {
        os_fake_run_on(i % 2);
        spans[0][i] = take_span(16);
        spans[1][i] = take_span(16);
    }
    HAK_EXPECT_GT(hak_region_count_now(), 2 * 64);
    for (unsigned node = 0; node < 2; node++) {
        os_fake_run_on(node);
        give_back(&spans[0][node + 1000]);
        give_back(&spans[0][node]);
        const struct span oldest = take_span(16);
        HAK_EXPECT_EQ(oldest.region->node, node);
        HAK_EXPECT_PTR_EQ(oldest.region, spans[0][node].region);
    }
}

HAK_TEST_ISOLATED(Node, AHugeBlockReusesChunksOfItsOwnNodeFirst, NUMA) {
    begin_with(2);
    for (unsigned node = 0; node < 2; node++) {
        os_fake_run_on(node);
        const struct span span = take_span(40);
        give_back(&span);
    }
    os_fake_run_on(1);
    void *near = hak_region_reuse(30);
    void *far = hak_region_reuse(30);
    HAK_EXPECT(near != NULL && far != NULL);
    HAK_EXPECT_EQ(region_of(near)->node, 1);
    HAK_EXPECT_EQ(region_of(far)->node, 0);
}

HAK_TEST_ISOLATED(Node, APurgeReachesAllNodes, NUMA) {
    const uint32_t blocks = hak_classes[CLASS].blocks;
    begin_with(2);
    for (unsigned node = 0; node < 2; node++) {
        os_fake_run_on(node);
        void **of_slab = node == 0 ? first_blocks : second_blocks;
        (void)make_partial(blocks * 7 / 8, of_slab);
        const struct span span = take_span(8);
        give_back(&span);
    }
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), (size_t)2 * (blocks * 7 / 8) * hak_classes[CLASS].block_size);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), 2 * 8 * HAK_CHUNK_BYTES);
    hak_trim();
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), 0);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), 0);
}

HAK_TEST_ISOLATED(Node, MoreNodesThanAreKnownShareThem, NUMA) {
    begin_with(4 * NODES_MAX);
    HAK_EXPECT_EQ(hak_node_count, NODES_MAX);
    os_fake_run_on(NODES_MAX + 3);
    HAK_EXPECT_EQ(node_of(hak_slab_create(CLASS, SELF)), 3);
}

/* What all slow paths do. */
static void use_everything(void) {
    static void *blocks[20000];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 20000; i++) blocks[i] = hak_alloc(16 + 40 * (i % 60));
        void *large = hak_alloc(500000), *huge = hak_alloc((size_t)3 << 20);
        for (unsigned i = 0; i < 20000; i++) hak_free(blocks[(i * 7) % 20000]);
        hak_free(large);
        hak_free(huge);
        hak_thread_flush();
        hak_trim();
    }
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST_ISOLATED(Node, WithoutTheOptionNothingIsAsked, NEVER) {
    begin_with(2);
    use_everything();
    HAK_EXPECT_EQ(os_fake_node_calls(), 0);
    HAK_EXPECT_EQ(hak_node_count, 1);
}

HAK_TEST_ISOLATED(Node, WhereThereIsOneNodeNothingIsAskedOnceThatIsKnown, NUMA) {
    begin_with(1);
    const uint64_t calls = os_fake_node_calls();
    use_everything();
    HAK_EXPECT_EQ(os_fake_node_calls(), calls);
}

HAK_TEST_ISOLATED(Node, WithSeveralTheSlowPathsAsk, NUMA) {
    begin_with(2);
    const uint64_t calls = os_fake_node_calls();
    use_everything();
    HAK_EXPECT_GT(os_fake_node_calls(), calls);
}

#define WALKED 1000u

static void *walked[WALKED];
static unsigned walked_seen[WALKED], walked_others;

static bool note_walked(const struct hak_walk_block *block, void *argument) {
    unsigned i = 0;
    (void)argument;
    while (i < WALKED && walked[i] != block->start) i++;
    if (i < WALKED) {
        walked_seen[i]++;
    } else {
        walked_others++;
    }
    return true;
}

/* The first regions of two nodes have one number, which counts the regions of a node. */
HAK_TEST_ISOLATED(Node, AWalkFindsTheBlocksOfAllNodes, NUMA) {
    struct hak_walk_result result = {0};
    unsigned of_node[2] = {0, 0};
    begin_with(2);
    for (unsigned i = 0; i < WALKED; i++) {
        os_fake_run_on(i * 2 / WALKED);
        walked[i] = hak_alloc(1000);
        HAK_ASSERT_TRUE(walked[i] != NULL);
        of_node[region_of(walked[i])->node]++;
    }
    HAK_EXPECT_GE(of_node[0], 100);
    HAK_EXPECT_GE(of_node[1], 100);
    HAK_EXPECT_EQ(hak_region_count_now(), 2);
    HAK_EXPECT_EQ(hak_walk(note_walked, NULL, &result), 0);
    HAK_EXPECT_EQ(result.blocks, WALKED);
    HAK_EXPECT_EQ(walked_others, 0);
    for (unsigned i = 0; i < WALKED; i++) HAK_EXPECT_EQ(walked_seen[i], 1);
    for (unsigned i = 0; i < WALKED; i++) hak_free(walked[i]);
    HAK_EXPECT_EQ(hak_walk(note_walked, NULL, &result), 0);
    HAK_EXPECT_EQ(result.blocks, 0);
}

HAK_TEST_ISOLATED(Node, ARegionOfNoNodeIsFound, NUMA) {
    begin_with(2);
    os_fake_run_on(0);
    const struct slab *const slab = make_partial(hak_classes[CLASS].blocks * 7 / 8, first_blocks);
    for (unsigned node = 2; node < 256; node += 253) {
        HAK_EXPECT_DEATH(
            {
                region_of(slab)->node = (uint8_t)node;
                hak_slab_claim(CLASS, SELF);
            },
            "corrupted: its region is of no node");
    }
}
