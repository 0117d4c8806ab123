/* SPDX-License-Identifier: MIT */
/* Huge blocks against a model: random allocations, frees, changes of size and refusals of the system, by seed. After each step the
 * table, the totals and what is held are the model's, no two blocks overlap, and each block holds what was written to it. */
#include <errno.h>
#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/base/options.h"
#include "hakmem/base/random.h"
#include "hakmem/flags/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/block_table.h"
#include "hakmem/region/held.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "tests/harness/harness.h"

#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define MOST_BLOCKS 100u
#define KEEP "HAKMEM_PURGE_DELAY_MS=-1"

struct block {
    char *start;
    size_t size; /* whole chunks */
    uint64_t seed;
};

static struct block blocks[MOST_BLOCKS];
static unsigned count;
static struct hak_huge_totals expected;
static uint64_t random_state;
static size_t held_before, capacity; /* of the table */
static bool is_many;                 /* blocks */

static unsigned below(unsigned bound) { return (unsigned)(random_xorshift64(&random_state) % bound); }

static size_t whole_chunks(size_t size) { return (size + CHUNK - 1) / CHUNK * CHUNK; }

/* ---- Content: a word at the start and one at the end of each chunk ---- */

static void write_chunks(const struct block *block) {
    for (size_t at = 0; at < block->size; at += CHUNK) {
        *(uint64_t *)(block->start + at) = block->seed + at;
        *(uint64_t *)(block->start + at + CHUNK - 8) = block->seed ^ at;
    }
}

static void expect_chunks(const struct block *block, size_t size) {
    for (size_t at = 0; at < size; at += CHUNK) {
        HAK_EXPECT_EQ(*(uint64_t *)(block->start + at), block->seed + at);
        HAK_EXPECT_EQ(*(uint64_t *)(block->start + at + CHUNK - 8), block->seed ^ at);
    }
}

static void expect_zero(const char *start, size_t size) {
    for (size_t at = 0; at < size; at += 4096) {
        HAK_EXPECT_EQ(*(uint64_t *)(start + at), 0);
        HAK_EXPECT_EQ(*(uint64_t *)(start + at + 4096 - 8), 0);
    }
}

/* ---- The model ---- */

static void note_most(void) {
    if (expected.live_blocks > expected.live_blocks_most) expected.live_blocks_most = expected.live_blocks;
    if (expected.live_bytes > expected.live_bytes_most) expected.live_bytes_most = expected.live_bytes;
}

/* Half of the table's entries are used at most. */
static void note_room(void) {
    if (capacity == 0) capacity = hak_os_page_size() / sizeof *hak_huge_blocks.entries;
    if (expected.live_blocks > capacity / 2) capacity *= 2;
}

static void note_made(size_t size) {
    expected.allocations++;
    expected.changes++;
    expected.live_blocks++;
    expected.live_bytes += size;
    note_most();
    note_room();
}

static void note_freed(size_t size) {
    expected.frees++;
    expected.changes++;
    expected.live_blocks--;
    expected.live_bytes -= size;
}

static void visit(void *start, size_t size, void *argument) {
    unsigned *visited = argument;
    for (unsigned i = 0; i < count; i++) *visited += blocks[i].start == start && blocks[i].size == size;
}

static void expect_alike(void) {
    struct hak_huge_totals totals;
    unsigned visited = 0;
    size_t none;
    hak_huge_totals(&totals);
    HAK_EXPECT_EQ(totals.allocations, expected.allocations);
    HAK_EXPECT_EQ(totals.frees, expected.frees);
    HAK_EXPECT_EQ(totals.changes, expected.changes);
    HAK_EXPECT_EQ(totals.live_blocks, expected.live_blocks);
    HAK_EXPECT_EQ(totals.live_bytes, expected.live_bytes);
    HAK_EXPECT_EQ(totals.live_blocks_most, expected.live_blocks_most);
    HAK_EXPECT_EQ(totals.live_bytes_most, expected.live_bytes_most);
    HAK_EXPECT_EQ(totals.metadata_bytes, capacity * sizeof *hak_huge_blocks.entries);
    HAK_EXPECT_EQ(hak_held_bytes(), held_before + expected.live_bytes);
    HAK_EXPECT_EQ(expected.live_blocks, count);
    HAK_EXPECT_PTR_EQ(hak_huge_find(&totals, &none), NULL);
    hak_huge_for_each(visit, &visited);
    HAK_EXPECT_EQ(visited, count);
    for (unsigned i = 0; i < count; i++) {
        const struct block *block = &blocks[i];
        size_t size = 0;
        HAK_EXPECT_EQ(hak_huge_usable_size(block->start), block->size);
        HAK_EXPECT_PTR_EQ(hak_huge_find(block->start + block->size - 1, &size), block->start);
        HAK_EXPECT_EQ(size, block->size);
        HAK_EXPECT_PTR_EQ(hak_huge_find(block->start, &size), block->start);
        HAK_EXPECT(hak_huge_find(block->start - 1, &size) != block->start);
        HAK_EXPECT(hak_huge_find(block->start + block->size, &size) != block->start);
        if (block->size > CHUNK) HAK_EXPECT_EQ(hak_huge_usable_size(block->start + CHUNK), 0);
    }
}

static void expect_apart(const struct block *made) {
    for (unsigned i = 0; i < count; i++) {
        if (&blocks[i] == made) continue;
        HAK_EXPECT(made->start + made->size <= blocks[i].start || blocks[i].start + blocks[i].size <= made->start);
    }
    HAK_EXPECT(!hak_kept_contains(made->start) && !hak_kept_contains(made->start + made->size - 1));
}

/* ---- Steps ---- */

/* Chunks that wait in a region, which a block may get. */
static void step_leave_chunks(void) {
    const unsigned chunks = 1 + below(60); /* with guard full the span is one longer */
    struct span span;
    HAK_ASSERT_TRUE(hak_region_span_alloc(chunks, 7, &span) == 0);
    memset(region_chunk_address(span.region, span.first), 0xEE, chunks * CHUNK);
    hak_region_span_free(span.region, span.first, chunks);
}

static void step_alloc(bool is_refused) {
    const size_t size = 1 + random_xorshift64(&random_state) % (24 * CHUNK),
                 alignment = below(4) != 0 ? 16 : CHUNK << below(5);
    const size_t waiting = hak_kept_dirty_bytes(), dirty = hak_region_dirty_bytes();
    bool zeroed = false;
    errno = EDOM;
    struct block *const made = &blocks[count];
    *made = (struct block){(char *)hak_huge_alloc(size, alignment, &zeroed), whole_chunks(size), random_state};
    if (made->start == NULL) {
        HAK_EXPECT(is_refused);
        HAK_EXPECT_EQ(errno, ENOMEM);
        return;
    }
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_EQ((uintptr_t)made->start % (alignment > CHUNK ? alignment : CHUNK), 0);
    if (hak_region_contains(made->start)) {
        HAK_EXPECT(!HAK_GUARD_FULL && !zeroed && alignment <= CHUNK);
        HAK_EXPECT_LT(waiting, made->size);
        HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty - made->size);
    } else {
        HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty);
    }
    if (zeroed) expect_zero(made->start, made->size);
    note_made(made->size);
    expect_apart(made);
    write_chunks(made);
    count++;
}

static void step_free(void) {
    struct block *const freed = &blocks[below(count)];
    const size_t waiting = hak_kept_dirty_bytes() + hak_region_dirty_bytes();
    HAK_EXPECT(!hak_huge_free(freed->start + 16));
    expect_chunks(freed, freed->size);
    HAK_EXPECT(hak_huge_free(freed->start));
    HAK_EXPECT(!hak_huge_free(freed->start));
    /* Guard full has it wait before that, and then with what waited before it. Of more than 64 mappings the oldest goes. */
    const size_t waits = hak_kept_dirty_bytes() + hak_region_dirty_bytes();
    if (!HAK_GUARD_FULL) HAK_EXPECT_LE(waits, waiting + freed->size);
    if (!HAK_GUARD_FULL && !is_many) HAK_EXPECT_EQ(waits, waiting + freed->size);
    note_freed(freed->size);
    *freed = blocks[--count];
}

static void step_realloc(bool is_refused) {
    struct block *const block = &blocks[below(count)];
    const size_t size = 1 + random_xorshift64(&random_state) % (32 * CHUNK), whole = whole_chunks(size),
                 before = block->size;
    const bool was_reused = hak_region_contains(block->start);
    char *const moved = (char *)hak_huge_realloc(block->start, size);
    if (moved == NULL) {
        /* The system may also refuse to move what is more than one mapping. */
        HAK_EXPECT(whole > before || (is_refused && whole != before));
        expect_chunks(block, before);
        return;
    }
    if (was_reused && whole > before) {
        note_made(whole);
        note_freed(before);
        HAK_EXPECT(!hak_region_contains(moved) || whole - before >= before / 2);
    } else {
        HAK_EXPECT(whole > before || moved == block->start);
        expected.changes++;
        expected.live_bytes += whole - before;
        note_most();
    }
    block->start = moved;
    expect_chunks(block, whole < before ? whole : before);
    block->size = whole;
    expect_apart(block);
    write_chunks(block);
}

static void step_clear(void) {
    struct block *const block = &blocks[below(count)];
    const size_t bytes = 1 + random_xorshift64(&random_state) % block->size;
    const unsigned way = below(3);
    hak_huge_clear(block->start, bytes, way == 0, way == 1);
    expect_zero(block->start, (bytes + 4095) / 4096 * 4096);
    for (size_t at = whole_chunks(bytes); at < block->size; at += CHUNK) /* these are as they were */
        HAK_EXPECT_EQ(*(uint64_t *)(block->start + at), block->seed + at);
    write_chunks(block);
}

static void run_steps(uint64_t seed, unsigned most, unsigned steps) {
    random_state = random_mix(seed);
    hak_process_begin();
    held_before = hak_held_bytes();
    is_many = most > 20;
    for (unsigned step = 0; step < steps && harness_failure_count() == 0; step++) {
        const unsigned kind = below(16);
        const bool is_refused = below(8) == 0;
        os_fake_reset();
        if (is_refused) {
            os_fake_fail_only(OS_FAKE_MAP | OS_FAKE_REMAP | OS_FAKE_PURGE | OS_FAKE_RESIDENT | OS_FAKE_MAKE_WRITABLE);
            os_fake_fail_from(1 + below(3));
        }
        if (kind < 6 && count < most) step_alloc(is_refused);
        if (kind >= 6 && kind < 10 && count > 0) step_free();
        if (kind >= 10 && kind < 13 && count > 0) step_realloc(is_refused);
        if (kind == 13 && count > 0) step_clear();
        os_fake_reset();
        if (kind == 14) step_leave_chunks();
        if (kind == 15 && below(8) == 0) (void)hak_trim();
        expect_alike();
    }
    while (count > 0 && harness_failure_count() == 0) step_free();
    expect_alike();
}

HAK_TEST_ISOLATED(HugeModel, FewBlocks, KEEP) { run_steps(1, 6, HAK_TEST_SCALE(1500)); }

HAK_TEST_ISOLATED(HugeModel, ManyBlocks, KEEP) { run_steps(2, MOST_BLOCKS, HAK_TEST_SCALE(1500)); }

static void expect_table(void *start, size_t size, void *argument) {
    HAK_EXPECT_PTR_EQ(start, hak_huge_blocks.entries);
    HAK_EXPECT_EQ(size, hak_huge_blocks.capacity * sizeof *hak_huge_blocks.entries);
    ++*(unsigned *)argument;
}

HAK_TEST_ISOLATED(HugeModel, TheTableItselfIsVisited, KEEP) {
    unsigned visits = 0;
    bool zeroed;
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_huge_alloc(CHUNK, 1, &zeroed) != NULL);
    hak_huge_visit_table(expect_table, &visits);
    HAK_EXPECT_EQ(visits, 1);
}

/* It would have to stay a mapping of its own to be unmapped when it is freed, as mallopt may want it. */
HAK_TEST_ISOLATED(HugeModel, WhatIsToBeUnmappedTakesNoChunks, KEEP) {
    struct span span;
    bool zeroed;
    if (HAK_GUARD_FULL) HAK_SKIP("huge blocks take no chunks");
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_span_alloc(60, 7, &span) == 0);
    hak_region_span_free(span.region, span.first, 60);
    hak_store_relaxed(&hak_options.map_threshold, 20 * CHUNK);
    char *shorter = (char *)hak_huge_alloc(19 * CHUNK, 1, &zeroed), *p = (char *)hak_huge_alloc(20 * CHUNK, 1, &zeroed);
    HAK_EXPECT(hak_region_contains(shorter));
    HAK_EXPECT(!hak_region_contains(p));
    HAK_EXPECT(hak_huge_free(p) && hak_huge_free(shorter));
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
}

/* Each block is entered before it is given out; where the table cannot grow for it, it is kept for another. */
HAK_TEST_ISOLATED(HugeModel, WhatCannotBeEnteredIsNotLost, KEEP) {
    bool zeroed;
    if (HAK_GUARD_FULL) HAK_SKIP("the table is mapped by another call");
    hak_process_begin();
    const size_t room = hak_os_page_size() / sizeof *hak_huge_blocks.entries / 2;
    for (size_t i = 0; i < room; i++) HAK_ASSERT_TRUE(hak_huge_alloc(CHUNK, 1, &zeroed) != NULL);
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAP);
    os_fake_fail_at(2); /* the first is the block's */
    HAK_EXPECT_PTR_EQ(hak_huge_alloc(5 * CHUNK, 1, &zeroed), NULL);
    HAK_EXPECT_EQ(os_fake_calls(), 2);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 5 * CHUNK);
    struct hak_huge_totals totals;
    hak_huge_totals(&totals);
    HAK_EXPECT_EQ(totals.live_blocks, room);
    HAK_EXPECT_EQ(hak_held_bytes(), room * CHUNK);
    HAK_EXPECT(hak_huge_alloc(5 * CHUNK, 1, &zeroed) != NULL);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
}

HAK_TEST_ISOLATED(HugeModel, WhatIsLargerThanAnythingIsRefused, KEEP) {
    bool zeroed;
    hak_process_begin();
    errno = 0;
    HAK_EXPECT_PTR_EQ(hak_huge_alloc(PTRDIFF_MAX, 1, &zeroed), NULL);
    HAK_EXPECT_EQ(errno, ENOMEM);
    HAK_EXPECT_PTR_EQ(hak_huge_alloc((size_t)PTRDIFF_MAX - CHUNK + 1, 1, &zeroed), NULL);
    char *p = (char *)hak_huge_alloc(0, 1, &zeroed);
    HAK_EXPECT_EQ(hak_huge_usable_size(p), CHUNK);
    HAK_EXPECT_PTR_EQ(hak_huge_realloc(p, PTRDIFF_MAX), NULL);
    HAK_EXPECT(hak_huge_free(p));
}
