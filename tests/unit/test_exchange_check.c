/* SPDX-License-Identifier: MIT */
/* What came back is looked at: in full at first, in part later, and what is wrong is taken out where the policy is to go on. */
#include "hakmem/base/options.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/exchange_load.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/unit/fresh_thread.h"

enum { SIZE = 64, BLOCKS = 64 };

static unsigned class_index;
static void *blocks[BLOCKS];

/* Some blocks, nothing in the returned magazine, and none of them in the loaded one. */
static void begin(void) {
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    class_index = size_class_of(SIZE);
    for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(SIZE);
    hak_thread_flush();
}

static void end(unsigned from) {
    for (unsigned i = from; i < BLOCKS; i++) hak_free(blocks[i]);
    hak_thread_flush();
    hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
}

/* One exchange's look, `checks` looks after the first of the class. Result: blocks that it left. */
static uint32_t look(uint8_t checks) {
    hak_self->classes[class_index].checks = checks;
    exchange_enter(hak_self);
    exchange_count(hak_self, class_index);
    hak_exchange_check_returned(hak_self, class_index);
    exchange_note_levels(hak_self, class_index);
    exchange_leave(hak_self);
    return exchange_returned_level(hak_self, class_index);
}

/* Looks at which the next exchange is looked at in full, in part, and not at all. */
#define IN_FULL 0
#define IN_PART (CHECK_FIRST + CHECK_ORDINARY_EACH - 1)
#define NOT_AT_ALL (CHECK_FIRST + CHECK_ORDINARY_EACH)

static void free_blocks(unsigned count) {
    for (unsigned i = 0; i < count; i++) hak_free(blocks[i]);
}

HAK_TEST(ExchangeCheck, WhatIsRightIsLeftAlone) {
    begin();
    free_blocks(9);
    HAK_EXPECT_EQ(look(IN_FULL), 9);
    HAK_EXPECT_EQ(look(IN_PART), 9);
    HAK_EXPECT_EQ(look(NOT_AT_ALL), 9);
    end(9);
}

HAK_TEST(ExchangeCheck, ABlockThatIsThereTwiceIsTakenOutOnce) {
    const uint8_t depths[] = {IN_FULL, IN_PART};
    for (unsigned i = 0; i < 2; i++) {
        begin();
        free_blocks(9);
        hak_free(blocks[4]);
        HAK_EXPECT_EQ(look(NOT_AT_ALL), 10);
        HAK_EXPECT_EQ(look(depths[i]), 9);
        end(9);
    }
}

/* Where the look of a swap takes something out, the magazines do not change places: a load decides anew. */
HAK_TEST(ExchangeCheck, ASwapThatTakesABlockOutIsNone) {
    begin();
    free_blocks(20);
    hak_free(blocks[4]);
    void **const empty = hak_loaded[class_index];
    const uint64_t exchanges = hak_self->classes[class_index].recent_exchanges;
    bool is_out[20] = {false};
    HAK_ASSERT_TRUE(exchange_swap_least(hak_self, class_index) <= 21 && exchanges + 1 < EXCHANGE_HOT);
    hak_self->classes[class_index].checks = IN_FULL;
    HAK_EXPECT(!exchange_swap_in(hak_self, class_index));
    HAK_EXPECT_EQ(exchange_returned_level(hak_self, class_index), 20);
    HAK_EXPECT_EQ(exchange_loaded_level(hak_self, class_index), 0);
    HAK_EXPECT_PTR_EQ((void *)hak_loaded[class_index], (void *)empty);
    HAK_EXPECT_EQ(hak_self->sequence % 2, 0);
    /* All 20 come out of the exchange of the next call, once each, where the same happens. */
    hak_free(blocks[7]);
    hak_self->classes[class_index].checks = IN_FULL;
    for (unsigned i = 0; i < 20; i++) {
        const void *p = hak_alloc(SIZE);
        unsigned found = 0;
        for (unsigned k = 0; k < 20; k++) found += blocks[k] == p && !is_out[k];
        HAK_EXPECT_EQ(found, 1);
        for (unsigned k = 0; k < 20; k++) is_out[k] |= blocks[k] == p;
    }
    end(0);
}

HAK_TEST(ExchangeCheck, APointerThatNoBlockStartsAtIsTakenOut) {
    const uint8_t depths[] = {IN_FULL, IN_PART};
    for (unsigned i = 0; i < 2; i++) {
        begin();
        free_blocks(8);
        hak_free((char *)blocks[8] + SIZE / 2);
        hak_free((char *)blocks[9] + 1);
        HAK_EXPECT_EQ(look(depths[i]), 8);
        end(8);
    }
}

HAK_TEST(ExchangeCheck, ABlockOfTheLoadedMagazineIsTakenOut) {
    begin();
    HAK_ASSERT_TRUE(hak_alloc(SIZE) != NULL); /* loads some more than this one */
    void *next = hak_loaded[class_index][-1];
    HAK_ASSERT_TRUE(next != NULL);
    free_blocks(5);
    hak_free(next);
    HAK_EXPECT_EQ(look(IN_PART), 6);
    HAK_EXPECT_EQ(look(IN_FULL), 5);
    end(5);
}

HAK_TEST(ExchangeCheck, ABlockThatIsFreeInItsSlabIsTakenOut) {
    begin();
    free_blocks(3);
    hak_thread_flush();
    hak_free(blocks[5]);
    hak_free(blocks[0]);
    HAK_EXPECT_EQ(look(IN_PART), 2);
    HAK_EXPECT_EQ(look(IN_FULL), 1);
    blocks[5] = hak_alloc(SIZE);
    end(3);
}

static void expect_stash_is_looked_at(struct work *work) {
    const uint32_t filled = 2 * CAPACITY + 1; /* two magazines of the stash, and a block in the returned one */
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    class_index = CLASS;
    uint32_t taken = 0;
    while (taken < filled + CAPACITY || loaded() == 0) work->blocks[taken++] = class_block(CLASS);
    for (uint32_t i = 0; i < filled; i++) hak_free(work->blocks[i]);
    HAK_EXPECT_EQ(hak_self->classes[CLASS].stashed, 2);
    hak_free(work->blocks[0]);            /* in the older one */
    hak_free(work->blocks[CAPACITY + 1]); /* in the younger one */
    HAK_EXPECT_EQ(returned(), 3);
    HAK_EXPECT_EQ(look(IN_PART), 3);
    HAK_EXPECT_EQ(look(IN_FULL), 1);
    for (uint32_t i = filled; i < taken; i++) hak_free(work->blocks[i]);
    hak_thread_flush();
    hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
}

HAK_TEST(ExchangeCheck, ABlockOfTheStashIsTakenOut) { in_fresh_thread(expect_stash_is_looked_at); }

/* A class whose blocks leave room at the end of a slab of one chunk; 0: none. */
static unsigned class_with_room_behind(void) {
    unsigned c = HAK_TINY_CLASS_LAST;
    while (c > 0 && hak_classes[c].blocks * hak_classes[c].block_size == HAK_CHUNK_BYTES) c--;
    return c;
}

/* Of a slab that has no free block: what lies behind the last one has the bit of another block. */
HAK_TEST(ExchangeCheck, APointerBehindTheLastBlockIsTakenOut) {
    enum { MOST = 8192 };
    static void *taken[MOST];
    class_index = class_with_room_behind();
    if (class_index == 0) HAK_SKIP("slabs have no room behind their blocks");
    const struct hak_class *const constants = &hak_classes[class_index];
    const uint32_t count = 2 * constants->blocks + 2 * constants->magazine;
    HAK_ASSERT_TRUE(constants->chunks == 1 && count <= MOST);
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    for (uint32_t i = 0; i < count; i++) taken[i] = hak_alloc(constants->block_size);
    hak_thread_flush();
    struct slab *const slab = slab_of(taken[count / 2]);
    char *const behind = (char *)slab_base(slab) + (size_t)constants->blocks * constants->block_size;
    HAK_EXPECT_EQ(hak_slab_count_free(slab, class_index), 0);
    hak_free(behind);
    HAK_EXPECT_EQ(look(IN_FULL), 0);
    for (uint32_t i = 0; i < count; i++) hak_free(taken[i]);
    hak_thread_flush();
    hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
}

HAK_TEST(ExchangeCheck, TheTableOfStampsGoesRound) {
    begin();
    free_blocks(20);
    for (unsigned i = 0; i < 1000; i++) HAK_ASSERT_TRUE(look(IN_PART) == 20 && look(IN_FULL) == 20);
    end(20);
}
