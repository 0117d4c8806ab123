/* SPDX-License-Identifier: MIT */
/* Slabs at the edges: the first and the last block of what a call takes, the first value that a check has to refuse, a second
 * free in each state of a slab.
 *
 * The slabs belong to thread numbers that no thread of the test has. */
#include <sched.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/decay.h"
#include "hakmem/slab/moving.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/random.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define SELF 1001u
#define OTHER 1002u
#define BLOCKS_MAX 8192

static void *blocks[BLOCKS_MAX];
static bool zeroed;

/* In a child: `change`, then `use`. */
#define EXPECT_FOUND(change, use) \
    HAK_EXPECT_DEATH(             \
        {                         \
            change;               \
            use;                  \
        },                        \
        "hakmem: [a-z]+\\(0x[0-9a-f]+\\): corrupted: ")

static struct slab *new_slab(unsigned c) {
    hak_process_begin();
    struct slab *slab = hak_slab_create(c, SELF);
    HAK_EXPECT(slab != NULL);
    return slab;
}

static struct slab *full_slab(unsigned c) {
    struct slab *slab = new_slab(c);
    HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks, hak_classes[c].blocks, &zeroed), hak_classes[c].blocks);
    return slab;
}

static uint32_t index_of(const void *p, unsigned c) {
    struct slab_position position;
    HAK_EXPECT(slab_locate(p, c, &position));
    return position.block;
}

/* ---- Which blocks read zero ---- */

/* Of a slab of clean memory whatever was never given out, from block 0 on; and not what was, also where fresh blocks follow. */
static void take_in_order(unsigned c) {
    const uint32_t last = hak_classes[c].blocks - 1;
    hak_purge_all();
    struct slab *slab = new_slab(c);
    HAK_ASSERT_TRUE(slab->zeroed);
    HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks, 1, &zeroed), 1);
    HAK_EXPECT(zeroed);
    HAK_EXPECT_EQ(index_of(blocks[0], c), 0);
    HAK_EXPECT_EQ(slab->fresh_from, 1);
    HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks + 1, last - 2, &zeroed), last - 2);
    HAK_EXPECT(zeroed);
    HAK_EXPECT_EQ(index_of(blocks[1], c), last - 2);
    HAK_EXPECT_EQ(slab->fresh_from, last - 1);
    /* One that was given out comes back before a fresh one. */
    hak_slab_free_blocks(SELF, c, blocks, 1);
    void *two[2];
    HAK_EXPECT_EQ(hak_slab_take(slab, c, two, 2, &zeroed), 2);
    HAK_EXPECT(!zeroed);
    HAK_EXPECT_PTR_EQ(two[1], blocks[0]);
    HAK_EXPECT_EQ(index_of(two[0], c), last - 1);
    HAK_EXPECT_EQ(slab->fresh_from, last);
    /* The one at the edge, alone: not fresh any more. */
    hak_slab_free_blocks(SELF, c, two, 1);
    HAK_EXPECT_EQ(hak_slab_take(slab, c, two, 1, &zeroed), 1);
    HAK_EXPECT(!zeroed);
    HAK_EXPECT_EQ(slab->fresh_from, last);
    /* And the first behind it. */
    HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks + last, BLOCKS_MAX - last, &zeroed), 1);
    HAK_EXPECT(zeroed);
    HAK_EXPECT_EQ(slab->fresh_from, last + 1);
    blocks[last - 1] = two[0];
    hak_slab_free_blocks(SELF, c, blocks, last + 1);
    HAK_EXPECT(hak_slab_release_if_empty(slab, c));
}

/* Full guard has the random choice switched off here. */
HAK_TEST_ISOLATED(SlabEdges, WhatWasNeverGivenOutReadsZero, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=none") {
    hak_process_begin();
    take_in_order(1);
    take_in_order(HAK_TINY_CLASS_LAST);
    take_in_order(HAK_L2_CLASS_FIRST);
}

/* The same of blocks in any order. */
HAK_TEST_ISOLATED(SlabEdges, WhatWasNeverGivenOutReadsZeroAtRandom, "HAKMEM_PURGE_DELAY_MS=-1") {
    if (!HAK_GUARD_FULL) HAK_SKIP("no block is chosen at random");
    const unsigned c = HAK_TINY_CLASS_LAST;
    hak_process_begin();
    hak_purge_all();
    struct slab *slab = new_slab(c);
    HAK_ASSERT_TRUE(slab->zeroed);
    for (uint32_t i = 0; i < hak_classes[c].blocks; i++) {
        const uint32_t fresh_from = slab->fresh_from;
        HAK_EXPECT_EQ(hak_slab_take_random(slab, c, blocks + i, 1, &zeroed), 1);
        const uint32_t block = index_of(blocks[i], c);
        HAK_EXPECT_EQ(zeroed, block >= fresh_from);
        HAK_EXPECT_EQ(slab->fresh_from, block >= fresh_from ? block + 1 : fresh_from);
    }
    hak_slab_free_blocks(SELF, c, blocks, hak_classes[c].blocks);
    HAK_EXPECT(hak_slab_release_if_empty(slab, c));
}

/* Each of the blocks that one call takes is any of those that are free, and seldom the lowest. */
HAK_TEST(SlabEdges, EachBlockOfARandomTakeIsAny) {
    enum { ROUNDS = 64, TAKEN = 8 };
    if (!HAK_GUARD_FULL) HAK_SKIP("no block is chosen at random");
    const unsigned c = 4;
    unsigned lowest[TAKEN] = {0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct slab *slab = new_slab(c);
        uint64_t *const bits = slab_free_bits(slab, c);
        uint32_t first_free = 0; /* of what is free when a block is chosen */
        HAK_EXPECT_EQ(hak_slab_take_random(slab, c, blocks, TAKEN, &zeroed), TAKEN);
        for (unsigned i = 0; i < TAKEN; i++) {
            const uint32_t block = index_of(blocks[i], c);
            HAK_EXPECT_EQ(bits[block / 64] >> block % 64 & 1, 0);
            lowest[i] += block == first_free;
            first_free += block == first_free;
        }
        hak_slab_free_blocks(SELF, c, blocks, TAKEN);
        HAK_EXPECT(hak_slab_release_if_empty(slab, c));
    }
    for (unsigned i = 0; i < TAKEN; i++) HAK_EXPECT_LT(lowest[i], ROUNDS / 2);
}

/* ---- A second free, whoever owns the slab ---- */

static void expect_second_free_found(uint32_t first_by, uint32_t freed, enum slab_state state) {
    const unsigned c = 3;
    struct slab *slab = full_slab(c);
    if (first_by == SELF) hak_slab_free_blocks(SELF, c, blocks, freed);
    hak_slab_detach(slab, c);
    if (first_by != SELF) hak_slab_free_blocks(first_by, c, blocks, freed);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), state);
    HAK_EXPECT_DEATH(hak_slab_free_blocks(OTHER, c, blocks, 1), "double free");
    HAK_EXPECT_DEATH(hak_slab_free_blocks(SLAB_NOBODY, c, blocks + freed - 1, 1), "double free");
    hak_slab_free_blocks(OTHER, c, blocks + freed, hak_classes[c].blocks - freed);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
}

HAK_TEST(SlabEdges, SecondFreeIsReportedWhenNobodyOwnsTheSlab) {
    const uint32_t eighth = (hak_classes[3].blocks + 7) / 8, by[] = {SELF, OTHER};
    for (unsigned i = 0; i < 2; i++) {
        expect_second_free_found(by[i], 1, SLAB_FULL);
        expect_second_free_found(by[i], eighth - 1, SLAB_FULL);
        expect_second_free_found(by[i], eighth, SLAB_PARTIAL);
        expect_second_free_found(by[i], hak_classes[3].blocks - 1, SLAB_PARTIAL);
    }
}

/* A free that was found out so says when, if it was one of several. */
HAK_TEST(SlabEdges, OnlyOneOfSeveralIsFoundLate) {
    const unsigned c = 3;
    struct slab *slab = full_slab(c);
    hak_slab_free_blocks(SELF, c, blocks, 2);
    HAK_EXPECT_DEATH(hak_slab_free_blocks(SELF, c, blocks, 1), "double free: [^\n]* is free already\n");
    HAK_EXPECT_DEATH(hak_slab_free_blocks(SELF, c, blocks, 2), "is free already, found at a later exchange\n");
    hak_slab_free_blocks(SELF, c, blocks + 2, hak_classes[c].blocks - 2);
    HAK_EXPECT(hak_slab_release_if_empty(slab, c));
}

/* ---- Pieces of a call's blocks ---- */

/* Each block of another slab than the one before, so many in one call. */
HAK_TEST(SlabEdges, ACallFreesAnyNumberOfPieces) {
    enum { MOST = 50 };
    const unsigned c = 3;
    static void *own[2][BLOCKS_MAX], *mixed[2 * MOST];
    struct slab *slabs[2];
    for (unsigned i = 0; i < 2; i++) {
        slabs[i] = full_slab(c);
        memcpy(own[i], blocks, hak_classes[c].blocks * sizeof *blocks);
    }
    HAK_ASSERT_TRUE(hak_classes[c].blocks >= MOST);
    for (uint32_t count = 0; count <= MOST; count++) {
        for (uint32_t i = 0; i < count; i++) mixed[i] = own[i % 2][i / 2];
        mixed[count] = own[0][MOST - 1]; /* live, and not among them */
        HAK_EXPECT_EQ(hak_slab_free_blocks(OTHER, c, mixed, count), count);
        HAK_EXPECT_EQ(hak_slab_drain(slabs[0], c), (count + 1) / 2);
        HAK_EXPECT_EQ(hak_slab_drain(slabs[1], c), count / 2);
        for (unsigned i = 0; i < 2; i++) {
            const uint32_t freed = (count + 1 - i) / 2;
            if (freed > 0) HAK_EXPECT_EQ(hak_slab_take(slabs[i], c, own[i], freed, &zeroed), freed);
            hak_slab_check(slabs[i], c);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        hak_slab_free_blocks(SELF, c, own[i], hak_classes[c].blocks);
        HAK_EXPECT(hak_slab_release_if_empty(slabs[i], c));
    }
}

/* ---- The first value that is wrong ---- */

HAK_TEST(SlabEdges, TheFirstClassThatIsNoneIsFound) {
    const unsigned c = 3;
    struct slab *slab = new_slab(c);
    unsigned class_index;
    const uint64_t control = slab->control, none = HAK_CLASS_COUNT - c;
    slab->control = control + ((none - 1) << 8);
    HAK_EXPECT_EQ(hak_slab_state_and_class(slab, &class_index), SLAB_OWNED);
    HAK_EXPECT_EQ(class_index, HAK_CLASS_COUNT - 1);
    slab->control = control;
    EXPECT_FOUND(slab->control = control + (none << 8), (void)hak_slab_state_and_class(slab, &class_index));
    HAK_EXPECT(hak_slab_release_if_empty(slab, c));
}

/* An address inside a block is a free of the program's that is wrong, and no damage, in whatever chunk of the slab; a span that
 * would end just before the chunk is damage. */
HAK_TEST(SlabEdges, AnInnerAddressIsTheProgramsFault) {
    const unsigned c = HAK_L2_CLASS_LAST, chunks = hak_classes[c].chunks;
    struct slab *slab = full_slab(c);
    struct region *region = region_of(slab);
    for (uint32_t i = 0; i < hak_classes[c].blocks; i++) {
        void *inner = (char *)blocks[i] + 16;
        HAK_EXPECT_DEATH(hak_slab_free_blocks(SELF, c, &inner, 1), "hakmem: free.*: ");
    }
    void *p = blocks[hak_classes[c].blocks - 1];
    const unsigned chunk = region_chunk_of(p);
    if (chunks > 1 && chunk >= chunks) {
        EXPECT_FOUND(region->span_first[chunk] = (uint16_t)(chunk - chunks), hak_slab_free_blocks(SELF, c, &p, 1));
    }
    EXPECT_FOUND(region->span_first[chunk] = (uint16_t)(chunk + 1), hak_slab_free_blocks(SELF, c, &p, 1));
    hak_slab_free_blocks(SELF, c, blocks, hak_classes[c].blocks);
    HAK_EXPECT(hak_slab_release_if_empty(slab, c));
}

/* Bits above those of any address: the page map's index is masked, and says that a block is there. */
HAK_TEST(SlabEdges, AnAddressWithHighBitsIsForeign) {
    const unsigned c = 3;
    struct slab *slab = full_slab(c);
    enum hak_misuse wrong = HAK_MISUSE_FREED;
    void *far = (void *)((uintptr_t)blocks[0] | (uintptr_t)1 << HAK_ADDRESS_BITS);
    HAK_EXPECT(!hak_slab_is_taken(far, c, &wrong));
    HAK_EXPECT_EQ(wrong, HAK_MISUSE_FOREIGN);
    HAK_EXPECT_EQ(hak_region_chunk_class(far), 0);
    HAK_EXPECT_EQ(hak_region_chunk_class(blocks[0]), c);
    HAK_EXPECT_DEATH(hak_slab_free_blocks(SELF, c, &far, 1), "foreign pointer");
    hak_slab_free_blocks(SELF, c, blocks, hak_classes[c].blocks);
    HAK_EXPECT(hak_slab_release_if_empty(slab, c));
}

/* A piece of nothing purges nothing, and one of a byte takes what it meets first. */
HAK_TEST_ISOLATED(SlabEdges, APieceOfNothingPurgesNothing, "HAKMEM_PURGE_DELAY_MS=-1") {
    const unsigned c = HAK_TINY_CLASS_LAST;
    struct slab *slab = full_slab(c);
    hak_slab_free_blocks(SELF, c, blocks, hak_classes[c].blocks / 2);
    hak_slab_detach(slab, c);
    const size_t unpurged = hak_partial_unpurged_bytes();
    HAK_EXPECT_EQ(unpurged, (size_t)hak_classes[c].blocks / 2 * hak_classes[c].block_size);
    struct decay_pass pass = {.freed_until_ms = DECAY_EVERYTHING, .class_index = 1, .left = 0};
    HAK_EXPECT(!hak_partial_purge_piece(&pass));
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), unpurged);
    pass.left = 1;
    while (!hak_partial_purge_piece(&pass) && pass.left > 0) continue;
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes(), 0);
    HAK_EXPECT_EQ(hak_partial_purged_bytes(), unpurged);
    hak_slab_free_blocks(OTHER, c, blocks + hak_classes[c].blocks / 2,
                         hak_classes[c].blocks - hak_classes[c].blocks / 2);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
    HAK_EXPECT_EQ(hak_partial_purged_bytes(), 0);
}

/* ---- Who moves bits ---- */

/* More threads than there are places to count at, each in the middle of its moves while the test looks. */
#define MOVERS 35u

static struct { uint32_t begun, may_end; /* atomic */ } movers;

static void move_until_told(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    hak_moving_begin();
    __atomic_fetch_add(&movers.begun, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&movers.may_end, __ATOMIC_ACQUIRE) == 0) sched_yield();
    hak_moving_end();
}

HAK_TEST(SlabEdges, ALookSeesEveryThreadThatMoves) {
    struct threads threads;
    uint64_t before, begun;
    HAK_EXPECT(hak_moving_look(&before));
    movers.begun = movers.may_end = 0;
    threads_start(&threads, MOVERS, move_until_told, NULL);
    while (__atomic_load_n(&movers.begun, __ATOMIC_ACQUIRE) < MOVERS) sched_yield();
    HAK_EXPECT(!hak_moving_look(&begun));
    HAK_EXPECT_EQ(begun, before + MOVERS);
    /* The child has none of them. */
    HAK_EXPECT_EXIT_OK({
        hak_moving_fork_child();
        HAK_EXPECT(hak_moving_look(&begun));
        HAK_EXPECT_EQ(begun, before + MOVERS);
    });
    __atomic_store_n(&movers.may_end, 1, __ATOMIC_RELEASE);
    threads_join(&threads);
    HAK_EXPECT(hak_moving_look(&begun));
    HAK_EXPECT_EQ(begun, before + MOVERS);
}
