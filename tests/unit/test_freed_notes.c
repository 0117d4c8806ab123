/* SPDX-License-Identifier: MIT */
/* Whatever becomes free and may go back to the system schedules a purge: one purge delay after it was freed, by a clock that the test
 * tells. */
#include <sys/mman.h>

#include "hakmem/base/config.h"
#include "hakmem/magazine/record.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define CLASS 3u
#define SELF 1001u
#define DELAY_MS 100000u
#define LATE "HAKMEM_PURGE_DELAY_MS=100000"

static uint64_t now_ms = 1000000;

uint64_t __wrap_hak_os_clock_ms(void);
uint64_t __wrap_hak_os_clock_ms(void) { return now_ms; }

/* Nothing is scheduled, and some time has gone by. */
static void go_on(void) {
    while (hak_decay_take()) continue;
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    now_ms += 1234;
}

static void expect_due(uint64_t freed_ms) { HAK_EXPECT_EQ(decay_due_ms(), freed_ms + DELAY_MS + 1); }

HAK_TEST_ISOLATED(FreedNotes, OfAMapping, LATE) {
    void *start = NULL;
    bool zeroed;
    hak_process_begin();
    HAK_EXPECT_EQ(hak_kept_alloc(8 * CHUNK, CHUNK, &start, &zeroed), 0);
    go_on();
    hak_kept_free(start, 8 * CHUNK);
    expect_due(now_ms);
}

/* A block could not be made of it and what lies beside it; a purge that came meanwhile did not find it. */
HAK_TEST_ISOLATED(FreedNotes, OfAMappingThatIsPutBack, LATE) {
    void *longer = NULL;
    bool zeroed;
    char *arena = mmap(NULL, 64 * CHUNK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    HAK_ASSERT_TRUE(arena != MAP_FAILED);
    hak_process_begin();
    hak_kept_free((char *)(((uintptr_t)arena + 16 * CHUNK) & ~(CHUNK - 1)), 8 * CHUNK);
    const uint64_t freed_ms = now_ms;
    go_on();
    HAK_EXPECT_EQ(hak_kept_alloc(16 * CHUNK, CHUNK, &longer, &zeroed), 0);
    HAK_EXPECT(zeroed);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 8 * CHUNK);
    expect_due(freed_ms);
}

/* The first one counts. */
HAK_TEST_ISOLATED(FreedNotes, OfChunks, LATE) {
    struct span first, second;
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_span_alloc(4, CLASS, &first) == 0 && hak_region_span_alloc(4, CLASS, &second) == 0);
    go_on();
    hak_region_span_free(first.region, first.first, 4);
    const uint64_t freed_ms = now_ms;
    expect_due(freed_ms);
    now_ms += 10;
    hak_region_span_free(second.region, second.first, 4);
    expect_due(freed_ms);
    go_on();
    void *const again = hak_region_reuse(4);
    HAK_ASSERT_TRUE(again != NULL);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    hak_region_reuse_end(again, 4);
    expect_due(now_ms);
}

/* Of a slab that nobody owns, once enough of it is free. */
HAK_TEST_ISOLATED(FreedNotes, OfBlocks, LATE) {
    static void *blocks[HAK_CHUNK_BYTES / 8];
    const uint32_t all = hak_classes[CLASS].blocks, eighth = (all + 7) / 8;
    bool zeroed;
    hak_process_begin();
    struct slab *const slab = hak_slab_create(CLASS, SELF);
    HAK_ASSERT_TRUE(slab != NULL);
    HAK_EXPECT_EQ(hak_slab_take(slab, CLASS, blocks, all, &zeroed), all);
    go_on();
    hak_slab_detach(slab, CLASS);
    hak_slab_free_blocks(SLAB_NOBODY, CLASS, blocks, eighth - 1);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_FULL);
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    hak_slab_free_blocks(SLAB_NOBODY, CLASS, blocks + eighth - 1, 1);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_PARTIAL);
    expect_due(now_ms);
    HAK_EXPECT_EQ(slab->listed_at_ms, now_ms);
    /* By whoever gives it up as well. */
    HAK_EXPECT_PTR_EQ(hak_slab_claim(CLASS, SELF), slab);
    go_on();
    hak_slab_detach(slab, CLASS);
    expect_due(now_ms);
    go_on();
    hak_slab_free_blocks(SLAB_NOBODY, CLASS, blocks + eighth, all - eighth);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
    expect_due(now_ms);
}

static struct hak_thread *ended;

static void only_begin(void *unused, unsigned index) {
    (void)unused;
    (void)index;
    ended = hak_thread_begin();
    go_on();
}

/* Of the record of a thread that ends. */
HAK_TEST_ISOLATED(FreedNotes, OfARecord, LATE) {
    hak_process_begin();
    threads_run(1, only_begin, NULL);
    HAK_ASSERT_TRUE(ended != NULL);
    HAK_EXPECT_EQ(ended->ended_ms, now_ms);
    expect_due(now_ms);
}
