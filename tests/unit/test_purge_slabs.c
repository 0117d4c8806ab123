/* SPDX-License-Identifier: MIT */
/* Pages of slabs that are in use, where no thread purges: what waits of them, what a poll gives back, and that the sums are those of
 * the slabs. By a clock that is told. */
#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/base/options.h"
#include "hakmem/hakmem.h"
#include "hakmem/process/purge.h"
#include "hakmem/process/purge_bound.h"
#include "hakmem/process/purge_pass.h"
#include "hakmem/region/held.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/unit/told_purge.h"

#define MIB TOLD_MIB
#define BLOCK_BYTES ((size_t)16384)
#define BLOCKS 4096u

static void *blocks[BLOCKS];

/* Of free blocks in slabs that nobody owns: those whose pages wait, and those whose pages are gone, bytes. */
struct free_pages {
    size_t unpurged, purged;
};

static void add_slab(struct region *region, unsigned first, void *argument) {
    struct free_pages *sum = argument;
    const struct slab *slab = (const struct slab *)&region->descriptors[first];
    unsigned class_index;
    if (hak_slab_state_and_class(slab, &class_index) == SLAB_PARTIAL) {
        sum->unpurged += (size_t)slab->listed_free * hak_classes[class_index].block_size;
        sum->purged += (size_t)slab->purged_free * hak_classes[class_index].block_size;
    }
}

/* The sums are those of the slabs. */
static void expect_sums(void) {
    struct free_pages sum = {0, 0};
    hak_region_for_each_span(add_slab, &sum);
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), sum.unpurged);
    HAK_EXPECT_EQ(hak_partial_purged_bytes(), sum.purged);
    /* In use is what slabs and huge blocks hold but for both; resident is what they hold, or what waits, and is not gone. */
    HAK_EXPECT_EQ(hak_purge_in_use_bytes(), hak_held_bytes() - sum.unpurged - sum.purged);
    HAK_EXPECT_EQ(hak_purge_resident_bytes(), hak_held_bytes() + hak_purge_waiting_bytes() - sum.purged);
}

/* Of 64 MiB one block in eight lives: 56 MiB of pages wait in slabs that are in use. */
static void leave_partial_slabs(void) {
    for (unsigned i = 0; i < BLOCKS; i++) HAK_ASSERT_TRUE((blocks[i] = hak_alloc(BLOCK_BYTES)) != NULL);
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (i % 8 != 0) hak_free(blocks[i]);
    }
    hak_thread_flush();
    HAK_EXPECT_GE(hak_partial_unpurged_bytes(), 50 * MIB);
    expect_sums();
}

/* They count as what waits, and not as what is in use; and chunks go before them. */
HAK_TEST_ISOLATED(PurgeSlabs, FreePagesOfSlabsWaitToo, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_PURGE_THREAD=0") {
    struct span span;
    leave_partial_slabs();
    HAK_EXPECT_EQ(hak_region_span_alloc(32, 7, &span), 0);
    hak_region_span_free(span.region, span.first, span.count);
    hak_store_relaxed(&hak_options.purge_delay_ms, (int64_t)1000); /* as mallopt does */
    hak_decay_note_freed(told_now_ms);
    told_poll();
    HAK_EXPECT_EQ(hak_purge_waiting_bytes(), 0);
    /* 16 MiB may wait beside 8; what is more goes but for three quarters of that, by slabs, of which an eighth stays. */
    HAK_EXPECT_LE(hak_partial_unpurged_bytes(), 16 * MIB);
    HAK_EXPECT_GE(hak_partial_unpurged_bytes(), 12 * MIB - PURGE_PIECE_BYTES);
    HAK_EXPECT_GE(hak_partial_purged_bytes(), 38 * MIB);
    expect_sums();
    told_now_ms += 1001;
    for (unsigned i = 0; i < 4; i++) told_poll();
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), 0);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    expect_sums();
    /* Slabs that are claimed again count no more, and when all is freed nothing does. */
    for (unsigned i = 0; i < 1000; i++) {
        if (i % 8 != 0) HAK_ASSERT_TRUE((blocks[i] = hak_alloc(BLOCK_BYTES)) != NULL);
    }
    expect_sums();
    HAK_EXPECT_LT(hak_partial_purged_bytes(), 45 * MIB);
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (i < 1000 || i % 8 == 0) hak_free(blocks[i]);
    }
    hak_thread_flush();
    expect_sums();
    (void)hak_trim();
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), 0);
    HAK_EXPECT_EQ(hak_partial_purged_bytes(), 0);
}

/* Pages that were given back are not in use, though slabs hold them: of 64 MiB in slabs 8 are, and 16 may wait. */
HAK_TEST_ISOLATED(PurgeSlabs, PagesThatAreGoneLetNothingWait, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_PURGE_THREAD=0") {
    leave_partial_slabs();
    (void)hak_trim();
    hak_store_relaxed(&hak_options.purge_delay_ms, (int64_t)1000);
    HAK_EXPECT_GE(hak_partial_purged_bytes(), 50 * MIB);
    told_begin(64 * MIB);
    told_free(16 * MIB);
    told_poll();
    HAK_EXPECT_EQ(hak_purge_waiting_bytes(), 16 * MIB);
    told_free(HAK_CHUNK_BYTES);
    told_poll();
    HAK_EXPECT_EQ(hak_purge_waiting_bytes(), 10 * MIB + HAK_CHUNK_BYTES);
    expect_sums();
}

/* A fork waits for no more than a piece of what is taken of idle threads either, which is none of the bytes that are to go. */
HAK_TEST_ISOLATED(PurgeSlabs, ThoseOfIdleThreadsArePiecesOfTheirOwn,
                  "HAKMEM_PURGE_DELAY_MS=1000 HAKMEM_PURGE_THREAD=0") {
    told_begin(64 * MIB);
    told_free(PURGE_BOUND_BYTES);
    told_poll();
    HAK_EXPECT_EQ(hak_purge_waiting_bytes(), PURGE_BOUND_BYTES);
    told_idle_batches = 5;
    hak_purge_fork_begin();
    told_now_ms += 1001;
    told_poll();
    HAK_EXPECT_EQ(hak_purge_waiting_bytes(), PURGE_BOUND_BYTES - PURGE_PIECE_BYTES);
    HAK_EXPECT_EQ(told_idle_looks, 1);
    HAK_EXPECT_EQ(told_idle_batches, 0);
    HAK_EXPECT_GE(told_yielded_ms, 5 + 1);
    hak_purge_fork_end();
}

/* Of each class: those of a pass's first and last class too. */
HAK_TEST_ISOLATED(PurgeSlabs, ATrimTakesThePagesOfEachClass, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_PURGE_THREAD=0") {
    enum { SLABS = 4, MOST = SLABS * HAK_CHUNK_BYTES / 8 };
    static void *some[MOST];
    hak_free(hak_alloc(16));
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const struct hak_class *const constants = &hak_classes[class_index];
        const size_t size = constants->block_size > 64 ? constants->block_size - 16 : constants->block_size;
        const unsigned count = SLABS * constants->blocks < MOST ? SLABS * constants->blocks : MOST;
        for (unsigned i = 0; i < count; i++) HAK_ASSERT_TRUE((some[i] = hak_alloc(size)) != NULL);
        for (unsigned i = 0; i < count; i++) {
            if (i % constants->blocks != 0) hak_free(some[i]);
        }
        hak_thread_flush();
        if (class_index == 1) HAK_EXPECT_GT(hak_partial_unpurged_bytes(), 0);
        (void)hak_trim();
        HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), 0);
        expect_sums();
        for (unsigned i = 0; i < count; i += constants->blocks) hak_free(some[i]);
    }
}
