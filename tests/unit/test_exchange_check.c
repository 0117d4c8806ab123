/* SPDX-License-Identifier: MIT */
/* What came back is looked at: in full at first, in part later, and what is wrong is taken out where the policy is to go on. */
#include <string.h>

#include "hakmem/base/options.h"
#include "hakmem/flags/flags.h"
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

/* ---- Each depth, whatever is wrong and wherever it lies ---- */

/* Makes these pointers the returned magazine's content, as if free had stored them and an exchange had counted them. */
static void set_returned(void *const *values, uint32_t count) {
    void **const base = hak_returned[class_index] - exchange_returned_level(hak_self, class_index);
    memcpy(base, values, count * sizeof *values);
    hak_returned[class_index] = base + count;
    hak_self->classes[class_index].returned_level = (uint16_t)count;
}

/* Exactly one pointer is taken out: of two that are the same the later one, or the one that points into a block. */
static void expect_wrong_is_found(uint8_t checks, uint32_t count, uint32_t at, void *wrong) {
    void *values[BLOCKS];
    memcpy(values, blocks, count * sizeof *values);
    values[at] = wrong;
    set_returned(values, count);
    HAK_EXPECT_EQ(look(checks), count - 1);
    void **const base = hak_returned[class_index] - (count - 1);
    HAK_EXPECT(memcmp(base, values, at * sizeof *values) == 0);
    HAK_EXPECT(memcmp(base + at, values + at + 1, (count - 1 - at) * sizeof *values) == 0);
}

HAK_TEST_ISOLATED(ExchangeCheck, WhatIsWrongIsFoundInEachSlot, "") {
    const uint8_t depths[] = {IN_FULL, IN_PART};
    const unsigned inner[] = {1, 8, 16, SIZE / 2, SIZE - 16, SIZE - 1};
    begin();
    for (unsigned d = 0; d < 2; d++) {
        for (uint32_t count = 1; count <= 9; count++) {
            for (uint32_t at = 0; at < count && harness_failure_count() == 0; at++) {
                for (uint32_t other = 0; other < at; other++)
                    expect_wrong_is_found(depths[d], count, at, blocks[other]);
                for (unsigned i = 0; i < sizeof inner / sizeof *inner; i++)
                    expect_wrong_is_found(depths[d], count, at, (char *)blocks[at] + inner[i]);
            }
        }
    }
    set_returned(blocks, 0);
    end(0);
}

enum depth { NOTHING, PART, FULL };

/* One block is there twice, which a partial look finds; one is in the loaded magazine too, which only a full look finds. */
static enum depth depth_of_next_look(void *loaded) {
    void *const values[] = {blocks[0], blocks[1], loaded, blocks[2], blocks[1]};
    set_returned(values, 5);
    exchange_enter(hak_self);
    hak_exchange_check_returned(hak_self, class_index);
    exchange_leave(hak_self);
    const uint32_t left = exchange_returned_level(hak_self, class_index);
    HAK_EXPECT(left == 5 || left == 3);
    set_returned(blocks, 0);
    return left == 5 ? NOTHING : FULL;
}

/* A partial look that finds a fault goes on as a full one. So here the only fault is the block of the loaded magazine: a partial look
 * leaves it. */
static enum depth depth_of_next_look_alone(void *loaded, uint8_t checks) {
    void *const values[] = {blocks[0], loaded};
    hak_self->classes[class_index].checks = checks;
    set_returned(values, 2);
    exchange_enter(hak_self);
    hak_exchange_check_returned(hak_self, class_index);
    exchange_leave(hak_self);
    const bool is_full = exchange_returned_level(hak_self, class_index) == 1;
    set_returned(blocks, 0);
    return is_full ? FULL : PART;
}

/* The first ones and every 64th in full, every fourth in part, for ever. Nothing that came back is no look at all. */
static void expect_depths(size_t size, bool has_part) {
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    class_index = size_class_of(size);
    for (unsigned i = 0; i < 3; i++) blocks[i] = hak_alloc(size);
    hak_thread_flush();
    void *const first = hak_alloc(size), *const second = hak_alloc(size);
    hak_free(second);
    set_returned(blocks, 0);
    void **const top = hak_loaded[class_index];
    top[0] = second; /* in the loaded magazine, whatever a refill takes */
    hak_loaded[class_index] = top + 1;
    struct hak_thread_class *const own = &hak_self->classes[class_index];
    own->checks = 0;
    unsigned seen = 0;
    for (unsigned i = 1; i <= 700 && harness_failure_count() == 0; i++) {
        if (i % 50 == 0) {
            hak_exchange_check_returned(hak_self, class_index);
            HAK_EXPECT_EQ(own->checks, seen);
        }
        const uint8_t before = own->checks;
        seen = seen == 255 ? CHECK_FIRST : seen + 1;
        const bool is_full = seen < CHECK_FIRST || seen % CHECK_THOROUGH_EACH == 0,
                   is_part = seen % CHECK_ORDINARY_EACH == 0;
        HAK_EXPECT_EQ(depth_of_next_look(second), is_full || is_part ? FULL : NOTHING);
        HAK_EXPECT_EQ(own->checks, seen);
        if (is_full || is_part) {
            HAK_EXPECT_EQ(depth_of_next_look_alone(second, before), is_full || !has_part ? FULL : PART);
            HAK_EXPECT_EQ(own->checks, seen);
        }
    }
    hak_loaded[class_index] = top;
    (void)first;
    hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
}

HAK_TEST_ISOLATED(ExchangeCheck, EachLookIsAsDeepAsItIsToBe, "HAKMEM_PURGE_DELAY_MS=-1") {
    hak_free(hak_alloc(1));
    expect_depths(SIZE, true);
    unsigned several = HAK_L2_CLASS_FIRST; /* chunks a slab */
    while (hak_classes[several].chunks == 1) several++;
    expect_depths(hak_classes[several].block_size, false);
}

/* At the end of the process all classes are looked at in full, in one exchange that is over then; in the middle of another one none is. */
HAK_TEST_ISOLATED(ExchangeCheck, AtTheEndAllClassesAreLookedAt, "HAKMEM_PURGE_DELAY_MS=-1") {
    const unsigned classes[] = {1, HAK_TINY_CLASS_LAST, HAK_L2_CLASS_FIRST, HAK_L25_CLASS_FIRST};
    enum { COUNT = sizeof classes / sizeof *classes };
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    for (unsigned i = 0; i < COUNT; i++) {
        const size_t size = hak_classes[classes[i]].block_size;
        void *const first = hak_alloc(size), *const second = hak_alloc(size);
        hak_free(first);
        hak_free(second);
        hak_free(first);
        hak_self->classes[classes[i]].checks = NOT_AT_ALL;
        HAK_EXPECT_EQ(exchange_returned_level(hak_self, classes[i]), 3);
    }
    const uint64_t exchanges = hak_self->exchanges;
    exchange_enter(hak_self);
    hak_exchange_check_at_exit();
    exchange_leave(hak_self);
    for (unsigned i = 0; i < COUNT; i++) HAK_EXPECT_EQ(exchange_returned_level(hak_self, classes[i]), 3);
    const uint32_t sequence = hak_self->sequence;
    hak_exchange_check_at_exit();
    HAK_EXPECT_EQ(hak_self->sequence, sequence + 2);
    HAK_EXPECT_EQ(sequence % 2, 0);
    HAK_EXPECT_EQ(hak_self->exchanges, exchanges + 2);
    for (unsigned i = 0; i < COUNT; i++) {
        HAK_EXPECT_EQ(exchange_returned_level(hak_self, classes[i]), 2);
        HAK_EXPECT_EQ(hak_self->classes[classes[i]].returned_level, 2);
        /* The wrong one too was freed. */
        if (HAK_P1_BATCHED_STATS) HAK_EXPECT_EQ(hak_self->classes[classes[i]].frees, 3);
    }
    hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
}
