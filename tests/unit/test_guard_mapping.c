/* SPDX-License-Identifier: MIT */
/* Guard full: the mapping of a huge block, from its making to where it goes after it has waited, with each set of features. */
#include <string.h>
#include <sys/mman.h>

#include "hakmem/base/config.h"
#include "hakmem/guard/guard.h"
#include "hakmem/guard/pages.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/mapping.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/process/begin.h"
#include "tests/harness/harness.h"
#include "tests/unit/guard_readable.h"

#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define SIZE (32 * CHUNK)
#define ALL "HAKMEM_PURGE_DELAY_MS=-1"
#define PAGES_ALONE "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=pages"
#define QUARANTINE_ALONE "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=quarantine"
#define ZERO_ALONE "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=zero"

static char *make(size_t size, bool *zeroed) {
    void *start = NULL;
    hak_process_begin();
    HAK_EXPECT_EQ(hak_mapping_alloc_guarded(size, CHUNK, &start, zeroed), 0);
    return start;
}

static char *make_filled(size_t size) {
    bool zeroed;
    char *start = make(size, &zeroed);
    memset(start, 7, size);
    return start;
}

/* Mapped, and nobody can read it. */
static bool is_closed(const char *p) { return is_mapped(p) && !is_readable(p); }

static bool is_closed_all_over(const char *start, size_t size) {
    bool closed = true;
    for (size_t at = 0; at < size; at += CHUNK) closed &= is_closed(start + at) && is_closed(start + at + CHUNK - 1);
    return closed;
}

static bool is_gone(const char *start, size_t size) {
    bool mapped = false;
    for (size_t at = 0; at < size; at += CHUNK) mapped |= is_mapped(start + at);
    return !mapped;
}

HAK_TEST_ISOLATED(GuardMapping, WaitsInaccessibleAndIsKeptAfterwards, ALL) {
    char *start = make_filled(SIZE);
    HAK_EXPECT(is_readable(start + SIZE - 1));
    HAK_EXPECT(is_closed_all_over(start + SIZE, CHUNK));
    hak_mapping_free_guarded(start, SIZE);
    HAK_EXPECT(is_closed_all_over(start, SIZE + CHUNK));
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    HAK_EXPECT_EQ(hak_mapping_drain(), SIZE + CHUNK);
    HAK_EXPECT_EQ(hak_mapping_drain(), 0);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), SIZE + CHUNK);
    HAK_EXPECT(hak_kept_contains(start) && hak_kept_contains(start + SIZE));
    /* The next one is made of it, with a chunk of its own that nobody touches, and reads zero. */
    bool zeroed = false;
    char *again = make(SIZE, &zeroed);
    HAK_EXPECT_PTR_EQ(again, start);
    HAK_EXPECT(zeroed && again[0] == 0 && again[SIZE - 1] == 0);
    HAK_EXPECT(is_closed_all_over(again + SIZE, CHUNK));
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    hak_mapping_free_guarded(again, SIZE);
}

/* What never waited goes to the system, or nothing would find a read of it. */
HAK_TEST_ISOLATED(GuardMapping, GoesToTheSystemWhereNothingWaits, PAGES_ALONE) {
    char *start = make_filled(SIZE);
    HAK_EXPECT(is_closed_all_over(start + SIZE, CHUNK));
    hak_mapping_free_guarded(start, SIZE);
    HAK_EXPECT(is_gone(start, SIZE + CHUNK));
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    HAK_EXPECT_EQ(hak_mapping_drain(), 0);
}

HAK_TEST_ISOLATED(GuardMapping, WaitsReadableWithoutPages, QUARANTINE_ALONE) {
    char *start = make_filled(SIZE);
    hak_mapping_free_guarded(start, SIZE);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    HAK_EXPECT_EQ(start[SIZE - 1], 7);
    HAK_EXPECT_EQ(hak_mapping_drain(), SIZE);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), SIZE);
    bool zeroed = true;
    HAK_EXPECT_PTR_EQ(make(SIZE, &zeroed), start);
    HAK_EXPECT(!zeroed);
}

HAK_TEST_ISOLATED(GuardMapping, IsKeptClearWhereNothingWaitsAndPagesAreOpen, ZERO_ALONE) {
    char *start = make_filled(SIZE);
    hak_mapping_free_guarded(start, SIZE);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), SIZE);
    bool zeroed = false;
    char *again = make(SIZE, &zeroed);
    HAK_EXPECT_PTR_EQ(again, start);
    HAK_EXPECT(zeroed && again[0] == 0 && again[SIZE / 2] == 0 && again[SIZE - 1] == 0);
}

/* What waits is given up before an allocation fails. */
HAK_TEST_ISOLATED(GuardMapping, WhatWaitsServesWhereTheSystemGivesNothing, ALL) {
    char *start = make_filled(SIZE);
    hak_mapping_free_guarded(start, SIZE);
    void *out = NULL;
    bool zeroed;
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAP);
    os_fake_fail_from(1);
    HAK_EXPECT_EQ(hak_mapping_alloc_guarded(SIZE, CHUNK, &out, &zeroed), 0);
    HAK_EXPECT_PTR_EQ(out, start);
    HAK_EXPECT_NE(hak_mapping_alloc_guarded(SIZE, CHUNK, &out, &zeroed), 0);
    os_fake_reset();
}

/* Where its addresses cannot be opened again they are lost. */
HAK_TEST_ISOLATED(GuardMapping, WhatCannotBeOpenedGoes, ALL) {
    char *start = make_filled(SIZE);
    hak_mapping_free_guarded(start, SIZE);
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAKE_WRITABLE);
    os_fake_fail_from(1);
    HAK_EXPECT_EQ(hak_mapping_drain(), SIZE + CHUNK);
    os_fake_reset();
    HAK_EXPECT(is_gone(start, SIZE + CHUNK));
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
}

/* Also where the system does not take the pages of the chunk that comes to lie behind what stays. */
static void expect_shrunk(bool refuses_purge) {
    char *start = make_filled(SIZE);
    void *moved = start; /* as the caller has it, since it does not move */
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_PURGE);
    if (refuses_purge) os_fake_fail_from(1);
    HAK_EXPECT_EQ(hak_mapping_resize_guarded(start, SIZE, SIZE / 2, &moved), 0);
    os_fake_reset();
    HAK_EXPECT_PTR_EQ(moved, start);
    HAK_EXPECT(is_readable(start + SIZE / 2 - 1));
    HAK_EXPECT(is_closed_all_over(start + SIZE / 2, CHUNK));
    HAK_EXPECT(is_gone(start + SIZE / 2 + CHUNK, SIZE / 2));
    hak_mapping_free_guarded(start, SIZE / 2);
    HAK_EXPECT_EQ(hak_mapping_drain(), SIZE / 2 + CHUNK);
    /* All that is kept reads zero, also what was of the block before. */
    void *kept = NULL;
    bool zeroed;
    HAK_EXPECT_EQ(hak_kept_alloc(SIZE / 2 + CHUNK, CHUNK, &kept, &zeroed), 0);
    HAK_EXPECT_PTR_EQ(kept, start);
    for (size_t at = 0; at < SIZE / 2 + CHUNK; at += 4096) HAK_EXPECT(start[at] == 0 && start[at + 4095] == 0);
    hak_kept_free(kept, SIZE / 2 + CHUNK);
}

HAK_TEST_ISOLATED(GuardMapping, ShrinksInPlaceWithAChunkBehindWhatStays, ALL) { expect_shrunk(false); }

HAK_TEST_ISOLATED(GuardMapping, ShrinksWhereTheSystemTakesNothing, ALL) { expect_shrunk(true); }

HAK_TEST_ISOLATED(GuardMapping, RefusedShrinkChangesNothing, ALL) {
    char *start = make_filled(SIZE);
    void *moved = start;
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_UNMAP);
    os_fake_fail_from(1);
    HAK_EXPECT_NE(hak_mapping_resize_guarded(start, SIZE, SIZE / 2, &moved), 0);
    os_fake_reset();
    for (size_t at = 0; at < SIZE; at += CHUNK) HAK_EXPECT(is_readable(start + at) && start[at] == 7);
    HAK_EXPECT(is_closed_all_over(start + SIZE, CHUNK));
    hak_mapping_free_guarded(start, SIZE);
    HAK_EXPECT_EQ(hak_mapping_drain(), SIZE + CHUNK);
}

static char *grow(char *start) {
    void *moved = NULL;
    HAK_EXPECT_EQ(hak_mapping_resize_guarded(start, SIZE, 2 * SIZE, &moved), 0);
    HAK_EXPECT(moved != start);
    HAK_EXPECT_EQ(((char *)moved)[SIZE - 1], 7);
    HAK_EXPECT_EQ(((char *)moved)[2 * SIZE - 1], 0);
    HAK_EXPECT(is_closed_all_over((char *)moved + 2 * SIZE, CHUNK));
    /* The chunk that was behind it is in its way, and stays. */
    HAK_EXPECT(is_gone(start, SIZE));
    HAK_EXPECT(is_closed_all_over(start + SIZE, CHUNK));
    return moved;
}

HAK_TEST_ISOLATED(GuardMapping, WhatABlockLeftWaitsAsIfItWereFreed, ALL) {
    char *start = make_filled(SIZE), *moved = grow(start);
    hak_mapping_leave(start, SIZE);
    HAK_EXPECT(is_closed_all_over(start, SIZE + CHUNK));
    HAK_EXPECT_EQ(hak_mapping_drain(), SIZE + CHUNK);
    HAK_EXPECT(hak_kept_contains(start) && hak_kept_contains(start + SIZE));
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), SIZE + CHUNK);
    hak_mapping_free_guarded(moved, 2 * SIZE);
}

/* Then only the chunk behind it is left of it, and goes. */
HAK_TEST_ISOLATED(GuardMapping, WhatABlockLeftGoesWhereNothingWaits, PAGES_ALONE) {
    char *start = make_filled(SIZE), *moved = grow(start);
    hak_mapping_leave(start, SIZE);
    HAK_EXPECT(is_gone(start, SIZE + CHUNK));
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
    hak_mapping_free_guarded(moved, 2 * SIZE);
}

HAK_TEST_ISOLATED(GuardMapping, WhatAnotherTookIsNotTakenBack, ALL) {
    char *start = make_filled(SIZE), *moved = grow(start);
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    char *other = mmap(start + CHUNK, CHUNK, PROT_READ | PROT_WRITE, flags, -1, 0);
    HAK_ASSERT_TRUE(other == start + CHUNK);
    *other = 5;
    hak_mapping_leave(start, SIZE);
    HAK_EXPECT_EQ(*other, 5);
    HAK_EXPECT(!is_mapped(start + SIZE));
    HAK_EXPECT_EQ(hak_mapping_drain(), 0);
    hak_mapping_free_guarded(moved, 2 * SIZE);
    munmap(other, CHUNK);
}

HAK_TEST_ISOLATED(GuardMapping, NothingLiesBehindWithoutPages, QUARANTINE_ALONE) {
    char *start = make_filled(SIZE);
    void *moved = start; /* as the caller has it, since it does not move */
    HAK_EXPECT_EQ(hak_mapping_resize_guarded(start, SIZE, SIZE / 2, &moved), 0);
    HAK_EXPECT_PTR_EQ(moved, start);
    HAK_EXPECT(is_gone(start + SIZE / 2, SIZE / 2));
    hak_mapping_leave(start, SIZE / 2); /* nothing is left, and nothing happens */
    HAK_EXPECT_EQ(start[SIZE / 2 - 1], 7);
    HAK_EXPECT_EQ(hak_mapping_drain(), 0);
}

/* So many mappings have a chunk behind them that nobody can touch, and no more: one that is gone does not count among them. */
HAK_TEST_ISOLATED(GuardMapping, CountsAsLongAsItIsThere, PAGES_ALONE) {
    bool zeroed;
    hak_process_begin();
    if (hak_pages_places_most() > 100000) HAK_SKIP("the system lets a process have very many mappings");
    for (uint64_t i = 0; i <= hak_pages_places_most(); i++) {
        hak_mapping_free_guarded(make(CHUNK, &zeroed), CHUNK);
    }
    char *const last = make(SIZE, &zeroed);
    HAK_EXPECT(is_closed_all_over(last + SIZE, CHUNK));
    hak_mapping_free_guarded(last, SIZE);
}
