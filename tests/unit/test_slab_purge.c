/* SPDX-License-Identifier: MIT */
/* How many PARTIAL slabs a purge looks at: those that have something to purge, few under one lock, and not without end.
 *
 * A look at a slab is a call of list.c for it, which the test counts. The slabs belong to a thread number that no thread
 * of the test has. */
#include <stdio.h>

#include "hakmem/hakmem.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"
#include "hakmem/slab/list.h"
#include "hakmem/slab/moving.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"

#define SELF 1001u
#define OTHER 1002u
#define SLABS_MAX 32000u

static struct seen {
    unsigned visits;                  /* looks at slabs */
    unsigned in_hold, in_hold_most;   /* of them since the class lock was taken; a batch is purged without it */
    unsigned purged;                  /* slabs whose free pages were given back */
    unsigned in_piece, in_piece_most; /* of them under the same purge lock, which a fork waits for */
} seen;

static void (*while_purging)(void); /* called before the pages of each slab are given back */

static void visit(void) {
    seen.visits++;
    seen.in_hold_most = ++seen.in_hold > seen.in_hold_most ? seen.in_hold : seen.in_hold_most;
}

void __real_hak_list_link(struct slab_list *list, struct slab *slab);
void __wrap_hak_list_link(struct slab_list *list, struct slab *slab);
void __real_hak_list_unlink(struct slab_list *list, struct slab *slab);
void __wrap_hak_list_unlink(struct slab_list *list, struct slab *slab);
struct slab *__real_hak_list_next(const struct slab *slab);
struct slab *__wrap_hak_list_next(const struct slab *slab);
void __real_hak_moving_begin(void);
void __wrap_hak_moving_begin(void);
void __real_hak_moving_end(void);
void __wrap_hak_moving_end(void);
size_t __real_hak_slab_purge_free_pages(struct slab *slab, unsigned class_index, const struct decay_pass *pass);
size_t __wrap_hak_slab_purge_free_pages(struct slab *slab, unsigned class_index, const struct decay_pass *pass);
bool __real_hak_partial_purge_piece(struct decay_pass *pass);
bool __wrap_hak_partial_purge_piece(struct decay_pass *pass);

void __wrap_hak_list_link(struct slab_list *list, struct slab *slab) {
    visit();
    __real_hak_list_link(list, slab);
}

void __wrap_hak_list_unlink(struct slab_list *list, struct slab *slab) {
    visit();
    __real_hak_list_unlink(list, slab);
}

struct slab *__wrap_hak_list_next(const struct slab *slab) {
    visit();
    return __real_hak_list_next(slab);
}

void __wrap_hak_moving_begin(void) {
    seen.in_hold = 0;
    __real_hak_moving_begin();
}

void __wrap_hak_moving_end(void) {
    seen.in_hold = 0;
    __real_hak_moving_end();
}

size_t __wrap_hak_slab_purge_free_pages(struct slab *slab, unsigned class_index, const struct decay_pass *pass) {
    seen.in_hold = 0;
    seen.purged++;
    seen.in_piece_most = ++seen.in_piece > seen.in_piece_most ? seen.in_piece : seen.in_piece_most;
    if (while_purging != NULL) while_purging();
    return __real_hak_slab_purge_free_pages(slab, class_index, pass);
}

bool __wrap_hak_partial_purge_piece(struct decay_pass *pass) {
    seen.in_piece = 0;
    return __real_hak_partial_purge_piece(pass);
}

static void *blocks[SLABS_MAX]; /* one of each slab, which is live */

static unsigned class_of(unsigned slab, unsigned classes) { return HAK_TINY_CLASS_LAST - slab % classes; }

/* Slabs with a quarter of their blocks free that were never purged, in turn of each of the last tiny classes. */
static void make_slabs(unsigned count, unsigned classes) {
    static void *taken[HAK_CHUNK_BYTES / 8];
    hak_process_begin();
    for (unsigned i = 0; i < count; i++) {
        const unsigned c = class_of(i, classes);
        const uint32_t wanted = hak_classes[c].blocks - hak_classes[c].blocks / 4;
        bool zeroed;
        struct slab *slab = hak_slab_create(c, SELF);
        HAK_ASSERT_TRUE(slab != NULL);
        HAK_EXPECT_EQ(hak_slab_take(slab, c, taken, wanted, &zeroed), wanted);
        blocks[i] = taken[0];
        hak_slab_detach(slab, c);
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_PARTIAL);
    }
}

static void purge_all(void) {
    seen = (struct seen){0};
    hak_purge_all();
}

static void expect_few_looks(unsigned count) {
    make_slabs(count, 1);
    purge_all();
    printf("%u slabs: %u looked at, %u in one hold at most\n", count, seen.visits, seen.in_hold_most);
    HAK_EXPECT_EQ(seen.purged, count);
    HAK_EXPECT_LE(seen.visits, 4 * count);
    HAK_EXPECT_LE(seen.in_hold_most, 64);
    HAK_EXPECT_LE(seen.in_piece_most, 64);
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), 0);
}

HAK_TEST_ISOLATED(SlabPurge, LooksAtFewSlabs2000, "HAKMEM_PURGE_DELAY_MS=-1") { expect_few_looks(2000); }

HAK_TEST_ISOLATED(SlabPurge, LooksAtFewSlabs8000, "HAKMEM_PURGE_DELAY_MS=-1") { expect_few_looks(8000); }

HAK_TEST_ISOLATED(SlabPurge, LooksAtFewSlabs32000, "HAKMEM_PURGE_DELAY_MS=-1") { expect_few_looks(32000); }

/* What was purged and not freed into since is not looked at. What was freed into is, though that moved it to no other list of
 * its class. */
HAK_TEST_ISOLATED(SlabPurge, LooksAtWhatWasFreedSince, "HAKMEM_PURGE_DELAY_MS=-1") {
    make_slabs(300, 5);
    purge_all();
    purge_all();
    HAK_EXPECT_EQ(seen.visits, 0);
    for (unsigned i = 0; i < 300; i += 3) hak_slab_free_blocks(OTHER, class_of(i, 5), &blocks[i], 1);
    HAK_EXPECT_GT(hak_partial_unpurged_bytes(), 0);
    purge_all();
    HAK_EXPECT_EQ(seen.purged, 100);
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), 0);
}

/* Of one level of a class what was listed first goes first, and what was listed later than the pass wants stays. */
HAK_TEST_ISOLATED(SlabPurge, TakesTheOldestFirst, "HAKMEM_PURGE_DELAY_MS=-1") {
    make_slabs(50, 5);
    for (unsigned i = 0; i < 50; i++) slab_of(blocks[i])->listed_at_ms = 1000 + i / 5;
    seen = (struct seen){0};
    struct decay_pass pass = {.freed_until_ms = 1003, .class_index = 1, .left = SIZE_MAX};
    while (!hak_partial_purge_piece(&pass)) continue;
    HAK_EXPECT_EQ(seen.purged, 4 * 5);
    for (unsigned i = 0; i < 50; i++) HAK_EXPECT_EQ(slab_of(blocks[i])->listed_free == 0, i / 5 < 4);
}

/* ---- Others free meanwhile ---- */

#define BUSY 100u
#define BUSY_CLASS HAK_TINY_CLASS_FIRST
#define BUSY_CALLS 10000u

static void *busy_live[BUSY][HAK_CHUNK_BYTES / 8]; /* of each slab */
static uint32_t busy_count[BUSY];                  /* how many of them */
static unsigned busy_calls; /* how often others freed; not without end, or a failure would hang */

/* Slabs of many small blocks, of which a quarter is free. */
static void make_busy_slabs(void) {
    const uint32_t count = hak_classes[BUSY_CLASS].blocks, wanted = count - count / 4;
    hak_process_begin();
    HAK_ASSERT_TRUE(count >= 1000 && wanted <= sizeof busy_live[0] / sizeof busy_live[0][0]);
    for (unsigned i = 0; i < BUSY; i++) {
        bool zeroed;
        struct slab *slab = hak_slab_create(BUSY_CLASS, SELF);
        HAK_ASSERT_TRUE(slab != NULL);
        busy_count[i] = hak_slab_take(slab, BUSY_CLASS, busy_live[i], wanted, &zeroed);
        HAK_EXPECT_EQ(busy_count[i], wanted);
        hak_slab_detach(slab, BUSY_CLASS);
    }
}

static void free_some_of(unsigned slab, uint32_t count) {
    busy_count[slab] -= count;
    hak_slab_free_blocks(OTHER, BUSY_CLASS, &busy_live[slab][busy_count[slab]], count);
}

/* One block of each slab that has just been purged. With the first of them the slab that was listed last, which is purged last
 * therefore, comes into the list of another level. */
static void free_into_what_was_purged(void) {
    if (busy_calls == BUSY_CALLS) return;
    if (++busy_calls == 1) free_some_of(BUSY - 1, hak_classes[BUSY_CLASS].blocks / 3);
    for (unsigned i = 0; i < BUSY; i++) {
        const struct slab *slab = slab_of(busy_live[i][0]);
        if (hak_slab_state_of(slab) == SLAB_PARTIAL && slab->listed_free == 0) free_some_of(i, 1);
    }
}

/* Out of their lists and back, some times: how often that was does not matter later. */
static void list_again(void) {
    struct slab *slabs[BUSY];
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < BUSY; i++) HAK_ASSERT_TRUE((slabs[i] = hak_slab_claim(BUSY_CLASS, SELF)) != NULL);
        for (unsigned i = 0; i < BUSY; i++) hak_slab_detach(slabs[i], BUSY_CLASS);
    }
}

/* What was free when the purge began goes back, and no more than once for each list that a slab is in. */
HAK_TEST_ISOLATED(SlabPurge, EndsWhereOthersFreeIntoWhatItPurged, "HAKMEM_PURGE_DELAY_MS=-1") {
    make_busy_slabs();
    list_again();
    while_purging = free_into_what_was_purged;
    purge_all();
    while_purging = NULL;
    HAK_EXPECT_GE(seen.purged, BUSY);
    HAK_EXPECT_LE(seen.purged, 4 * BUSY);
    HAK_EXPECT_LT(busy_calls, BUSY_CALLS);
    for (unsigned i = 0; i < BUSY; i++) {
        HAK_EXPECT_GE(slab_of(busy_live[i][0])->purged_free, hak_classes[BUSY_CLASS].blocks / 4);
    }
    purge_all();
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), 0);
}
