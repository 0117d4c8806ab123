/* SPDX-License-Identifier: MIT */
/* Exchanges from inside: what a thread keeps, and what it gives up. */
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/ladder/remote.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/shared.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/unit/fresh_thread.h"

#define MANY 8192

static void *many[MANY];

static uint32_t level_of(unsigned class_index) {
    return exchange_loaded_level(hak_self, class_index) + exchange_returned_level(hak_self, class_index);
}

/* ---- Slabs with no block in use ---- */

/* A class without a stash, of whose blocks a whole slab leaves the returned magazine at once, where that has all its room. */
static unsigned class_of_small_slabs(void) {
    unsigned c = HAK_L2_CLASS_FIRST;
    while (c < HAK_L2_CLASS_LAST && hak_classes[c].blocks > hak_classes[c].magazine / 2) c++;
    HAK_EXPECT_GE(hak_classes[c].blocks, 2);
    HAK_EXPECT_EQ(hak_classes[c].stash, 0);
    hak_free(class_block(c)); /* the thread begins */
    for (unsigned round = 0; round < 100 && exchange_capacity(hak_self, c) < hak_classes[c].magazine; round++) {
        for (uint32_t i = 0; i < 2 * MAGAZINE_SLOTS; i++) many[i] = class_block(c);
        for (uint32_t i = 0; i < 2 * MAGAZINE_SLOTS; i++) hak_free(many[i]);
    }
    HAK_EXPECT_EQ(exchange_capacity(hak_self, c), hak_classes[c].magazine);
    hak_exchange_flush(hak_self);
    return c;
}

/* Blocks until all of the newest slab are out. */
static uint32_t take_whole_slabs(unsigned c, uint32_t least) {
    uint32_t taken = 0;
    while (taken < MANY) {
        many[taken++] = class_block(c);
        const struct hak_thread_class *own = &hak_self->classes[c];
        const bool is_whole = own->active[0]->free_count == 0 && exchange_loaded_level(hak_self, c) == 0;
        if (taken >= least && is_whole && own->active[1] != NULL) break;
    }
    return taken;
}

/* Those of that slab behind all others. Result: how many others */
static uint32_t sort_by_slab(uint32_t taken, const struct slab *slab) {
    uint32_t others = 0;
    for (uint32_t i = 0; i < taken; i++) {
        if (slab_of(many[i]) == slab) continue;
        void *p = many[i];
        many[i] = many[others];
        many[others++] = p;
    }
    return others;
}

static void expect_slab_to_go(unsigned place) {
    const unsigned c = class_of_small_slabs();
    const uint32_t taken = take_whole_slabs(c, 4 * hak_classes[c].magazine), capacity = exchange_capacity(hak_self, c);
    struct slab *const *active = hak_self->classes[c].active;
    struct slab *goes = active[place], *stays = active[1 - place];
    const uint32_t others = sort_by_slab(taken, goes);
    /* The loaded magazine holds blocks of others. */
    const uint32_t few = exchange_swap_least(hak_self, c) + 1;
    for (uint32_t i = 0; i < few; i++) hak_free(many[i]);
    many[few - 1] = class_block(c);
    HAK_EXPECT_EQ(exchange_loaded_level(hak_self, c), few - 1);
    for (uint32_t i = others; i < taken; i++) hak_free(many[i]);
    HAK_EXPECT_EQ(hak_slab_state_of(goes), SLAB_OWNED);
    uint32_t freed = few - 1;
    while (hak_slab_state_of(goes) == SLAB_OWNED && freed < others) hak_free(many[freed++]);
    HAK_EXPECT_EQ(hak_slab_state_of(goes), SLAB_EMPTY);
    HAK_EXPECT_LE(freed, few + capacity);
    HAK_EXPECT_PTR_EQ(active[0], stays);
    HAK_EXPECT_PTR_EQ(active[1], NULL);
    for (uint32_t i = freed; i < others; i++) hak_free(many[i]);
    CENSUS_EXPECT_CONSISTENT();
}

static void expect_newest_slab_to_go(struct work *work) {
    (void)work;
    expect_slab_to_go(0);
}

static void expect_older_slab_to_go(struct work *work) {
    (void)work;
    expect_slab_to_go(1);
}

HAK_TEST(Exchange, SlabGoesBackWhenItIsEmpty) {
    in_fresh_thread(expect_newest_slab_to_go);
    in_fresh_thread(expect_older_slab_to_go);
}

/* ---- How much a refill takes, and from where ---- */

/* What waits in the returned magazine counts as loaded already, where no quarantine takes it. */
static void expect_refill_to_count_what_returned(struct work *work) {
    uint32_t taken = 0;
    (void)work;
    while (taken < 2 * CAPACITY || loaded() != 0) many[taken++] = class_block(CLASS);
    const uint32_t few = exchange_swap_least(hak_self, CLASS) - 1;
    HAK_ASSERT_TRUE(few > 0);
    for (uint32_t i = 0; i < few; i++) hak_free(many[i]);
    HAK_EXPECT_EQ(returned(), few);
    many[0] = class_block(CLASS);
    const uint32_t wanted = hak_self->classes[CLASS].batch;
    HAK_EXPECT_GT(hak_self->classes[CLASS].active[0]->free_count, 0);
    HAK_EXPECT_GT(wanted, few);
    HAK_EXPECT_EQ(returned(), few);
    HAK_EXPECT_EQ(loaded() + 1, wanted - few);
}

HAK_TEST_ISOLATED(Exchange, RefillCountsWhatReturned, "") { in_fresh_thread(expect_refill_to_count_what_returned); }

/* A slab that ran dry, of which others free an eighth at once: a drain makes that free to its owner, who keeps the slab unless the
 * build says that it is given up. */
static void expect_drain_of_dry_slab(struct work *work) {
    struct slab **active;
    uint32_t taken = 0, freed = 0;
    (void)work;
    do {
        many[taken++] = class_block(CLASS);
        active = hak_self->classes[CLASS].active;
    } while (taken < MANY && active[1] == NULL);
    struct slab *const dry = active[1];
    HAK_ASSERT_TRUE(dry != NULL);
    HAK_EXPECT_EQ(dry->free_count, 0);
    const uint32_t eighth = (hak_classes[CLASS].blocks + 7) / 8;
    for (uint32_t i = 0; i < taken && freed < eighth; i++) {
        if (slab_of(many[i]) == dry) freed += hak_slab_free_blocks(SLAB_NOBODY, CLASS, &many[i], 1);
    }
    HAK_EXPECT_EQ(freed, eighth);
    hak_exchange_drain(hak_self, CLASS);
    HAK_EXPECT_PTR_EQ(active[1], ladder_promotes_at_once() ? NULL : dry);
    HAK_EXPECT_EQ(dry->free_count, eighth);
    HAK_EXPECT_EQ(hak_slab_state_of(dry), ladder_promotes_at_once() ? SLAB_PARTIAL : SLAB_OWNED);
}

HAK_TEST_ISOLATED(Exchange, DrainOfADrySlabLeavesItToItsOwner, "") { in_fresh_thread(expect_drain_of_dry_slab); }

/* ---- What is said of blocks that are sampled ---- */

/* Such a block comes from elsewhere than the loaded magazine, and is zero all the same where calloc takes that for zero. */
HAK_TEST_ISOLATED(Exchange, SampledBlockIsZeroWhereTheMagazineIs, "") {
    const size_t bytes = hak_classes[CLASS].block_size;
    HAK_EXPECT_EQ(hak_profile_start(1), 0);
    void *p = hak_alloc(bytes);
    memset(p, 0xEE, bytes);
    hak_free(p);
    hak_self->classes[CLASS].loaded_zeroed = true;
    void *again = hak_calloc(1, bytes);
    HAK_EXPECT_PTR_EQ(again, p);
    HAK_EXPECT(pattern_all_zero(again, bytes));
    hak_free(again);
}

/* ---- What is kept at most ---- */

static uint32_t stashed(void) { return hak_self->classes[CLASS].stashed; }

/* It allocated once, and does nothing but free from then on: all its magazines fill up, and are given up as a whole. */
static void expect_freeing_thread_to_give_up(struct work *work) {
    (void)work;
    const uint32_t all = CAPACITY * (hak_classes[CLASS].stash + 6u);
    bool has_stashed = false, gave_up = false;
    HAK_EXPECT_LE(all, MANY);
    for (uint32_t i = 0; i < all; i++) many[i] = class_block(CLASS);
    while (loaded() == 0) many[0] = (hak_free(many[0]), class_block(CLASS));
    for (uint32_t i = 0; i < all && !gave_up; i++) {
        hak_free(many[i]);
        many[i] = NULL;
        has_stashed |= stashed() == hak_classes[CLASS].stash;
        gave_up = has_stashed && stashed() == 0 && loaded() == 0 && returned() == 1;
    }
    HAK_EXPECT(gave_up);
    for (uint32_t i = 0; i < all; i++) hak_free(many[i]);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Exchange, ThreadThatOnlyFreesFromNowOnGivesUpItsStash) { in_fresh_thread(expect_freeing_thread_to_give_up); }

/* As a thread that never allocated: what it frees is others' by now. */
static void expect_flushed_thread_to_keep_one_magazine(struct work *work) {
    (void)work;
    const uint32_t all = 3 * MAGAZINE_SLOTS;
    for (uint32_t i = 0; i < all; i++) many[i] = class_block(CLASS);
    hak_thread_flush();
    for (uint32_t i = 0; i < all; i++) {
        hak_free(many[i]);
        HAK_EXPECT_LE(level_of(CLASS), CAPACITY);
        HAK_EXPECT_EQ(stashed(), 0);
    }
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Exchange, ThreadThatOnlyFreesAfterAFlushKeepsOneMagazine) {
    in_fresh_thread(expect_flushed_thread_to_keep_one_magazine);
}

/* The slab of threads without magazines is nobody's memory when it is empty. */
HAK_TEST(Exchange, TrimGivesUpTheSharedSlabs) {
    hak_free(class_block(CLASS)); /* the process begins */
    void *p = hak_shared_alloc(CLASS);
    const struct slab *slab = slab_of(p);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_OWNED);
    hak_shared_free(CLASS, p);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_OWNED);
    hak_trim();
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
}

/* Blocks of classes above tiny, beside those of `c`, until together they are too many bytes. */
static void hold_too_much_beside(unsigned c) {
    static void *blocks[HAK_CLASS_COUNT][MAGAZINE_SLOTS];
    uint32_t counts[HAK_CLASS_COUNT] = {0};
    size_t bytes = 0;
    for (unsigned k = HAK_L25_CLASS_FIRST - 1; k > c && bytes <= 2 * hak_share_kept_bytes(); k--) {
        for (blocks[k][0] = class_block(k), counts[k] = 1; counts[k] < exchange_capacity(hak_self, k); counts[k]++) {
            blocks[k][counts[k]] = class_block(k);
        }
        bytes += (size_t)counts[k] * hak_classes[k].block_size;
    }
    for (unsigned k = 0; k < HAK_CLASS_COUNT; k++) {
        for (uint32_t i = 0; i < counts[k]; i++) hak_free(blocks[k][i]);
    }
    HAK_EXPECT_GT(hak_exchange_bytes_above_tiny(hak_self), hak_share_kept_bytes());
}

static void expect_large_class_to_give_up(struct work *work) {
    (void)work;
    const unsigned c = HAK_L2_CLASS_FIRST;
    uint32_t taken = 0;
    hold_too_much_beside(c);
    many[taken++] = class_block(c);
    const uint32_t capacity = exchange_capacity(hak_self, c);
    while (taken <= capacity || exchange_loaded_level(hak_self, c) == 0) many[taken++] = class_block(c);
    HAK_EXPECT_GT(hak_exchange_bytes_above_tiny(hak_self), hak_share_kept_bytes());
    for (uint32_t i = 0; i < capacity; i++) hak_free(many[i]);
    HAK_EXPECT_GE(level_of(c), capacity);
    hak_free(many[capacity]);
    HAK_EXPECT_EQ(level_of(c), 1);
    for (uint32_t i = capacity + 1; i < taken; i++) hak_free(many[i]);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Exchange, ClassAboveTinyIsGivenUpWhereTheThreadHoldsTooMuch) {
    in_fresh_thread(expect_large_class_to_give_up);
}

/* ---- What is given up before more memory is taken ---- */

#define IN_USE (CLASS + 1)
#define UNUSED (CLASS + 2)
#define GROWING (HAK_L2_CLASS_FIRST - 1)
#define GROWN_BYTES ((size_t)1 << 20)

/* Full slabs of one class; each of them then gets most of its blocks back if `is_freed`. */
static void make_full_slabs(bool is_freed) {
    for (uint32_t i = 0; i < MANY; i++) many[i] = class_block(CLASS);
    for (uint32_t i = 0; is_freed && i < MANY; i++) {
        if (i % 16 != 0) hak_slab_free_blocks(SLAB_NOBODY, CLASS, &many[i], 1);
    }
}

/* Blocks of a class that are not freed, while another class is exchanged all the time. */
static void grow_beside_a_class_in_use(void) {
    static void *blocks[2 * MAGAZINE_SLOTS];
    for (size_t bytes = 0; bytes < GROWN_BYTES; bytes += hak_classes[GROWING].block_size) {
        const uint32_t level = level_of(IN_USE);
        HAK_ASSERT_TRUE(class_block(GROWING) != NULL);
        HAK_EXPECT_EQ(level_of(IN_USE), level);
        if (bytes % ((size_t)16 << 10) >= hak_classes[GROWING].block_size) continue;
        for (uint32_t i = 0; i < 2 * MAGAZINE_SLOTS; i++) blocks[i] = class_block(IN_USE);
        for (uint32_t i = 0; i < 2 * MAGAZINE_SLOTS; i++) hak_free(blocks[i]);
    }
}

static void expect_growth_to_flush_the_unused(struct work *work) {
    (void)work;
    make_full_slabs(true);
    hak_free(class_block(UNUSED));
    HAK_EXPECT_GT(level_of(UNUSED), 0);
    grow_beside_a_class_in_use();
    HAK_EXPECT_EQ(level_of(UNUSED), 0);
    HAK_EXPECT_PTR_EQ(hak_self->classes[UNUSED].active[0], NULL);
    HAK_EXPECT_GT(level_of(IN_USE), 0);
}

static void expect_growth_to_flush_nothing(struct work *work) {
    (void)work;
    make_full_slabs(false);
    hak_free(class_block(UNUSED));
    const uint32_t level = level_of(UNUSED);
    HAK_EXPECT_GT(level, 0);
    grow_beside_a_class_in_use();
    HAK_EXPECT_EQ(level_of(UNUSED), level);
}

/* Nothing is purged, since only free blocks that were not purged let a growing thread flush. */
HAK_TEST_ISOLATED(Exchange, GrowthFlushesUnusedClassesWhereMuchIsFree, "HAKMEM_PURGE_DELAY_MS=-1") {
    in_fresh_thread(expect_growth_to_flush_the_unused);
}

HAK_TEST_ISOLATED(Exchange, GrowthFlushesNothingWhereLittleIsFree, "HAKMEM_PURGE_DELAY_MS=-1") {
    in_fresh_thread(expect_growth_to_flush_nothing);
}

static void enter_and_call(void) {
    exchange_enter(hak_self);
    hak_thread_expect_outside();
}

/* As a signal handler does that interrupted it. */
HAK_TEST(Exchange, ACallInTheMiddleOfOneIsSaid) {
    hak_free(hak_alloc(8));
    HAK_EXPECT(hak_thread_is_outside());
    hak_thread_expect_outside();
    exchange_enter(hak_self);
    HAK_EXPECT(!hak_thread_is_outside());
    exchange_leave(hak_self);
    HAK_EXPECT_DEATH(enter_and_call(), "signal handler that interrupted the allocator");
}
