/* SPDX-License-Identifier: MIT */
/* Magazines from inside: sentinels, order, and what an exchange moves. */
#include <pthread.h>

#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/reading.h"
#include "hakmem/region/region.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/unit/fresh_thread.h"

static void *take(void) {
    void *p = magazine_take(CLASS);
    return p != NULL ? p : hak_exchange_alloc(CLASS);
}

/* A block that a pool gave out, and so marked where there is a shadow. */
static void give_live(unsigned class_index, void *p) {
    if (HAK_GUARD_EXACT) shadow_set(p, 0);
    hak_exchange_free(class_index, p);
}

static void take_all(struct work *work, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) work->blocks[i] = take();
}

static void give_all(struct work *work, uint32_t first, uint32_t count) {
    for (uint32_t i = first; i < first + count; i++) hak_exchange_free(CLASS, work->blocks[i]);
}

static void expect_no_magazine(unsigned class_index) {
    int local = 0;
    /* Without P3 the pools themselves keep class 0 out. */
    if (HAK_P3_SENTINELS || class_index != 0) {
        HAK_EXPECT(magazine_pop(class_index) == NULL);
        HAK_EXPECT(magazine_take(class_index) == NULL);
    }
    HAK_EXPECT(!magazine_push(class_index, &local));
    HAK_EXPECT(hak_loaded[class_index][-1] == NULL);
    HAK_EXPECT_EQ((uintptr_t)hak_returned[class_index] % MAGAZINE_BYTES, 0);
}

static void expect_no_magazines(struct work *work) {
    (void)work;
    for (unsigned c = 0; c < HAK_CLASS_COUNT; c++) expect_no_magazine(c);
}

HAK_TEST(Magazine, ThreadThatHasNotBegunGivesAndTakesNothing) { in_fresh_thread(expect_no_magazines); }

static void expect_class_0_stays_empty(struct work *work) {
    take_all(work, 10);
    expect_no_magazine(0);
    give_all(work, 0, 10);
    expect_no_magazine(0);
}

HAK_TEST(Magazine, Class0GivesAndTakesNothing) { in_fresh_thread(expect_class_0_stays_empty); }

static pthread_key_t late_key;

/* Set again until the last round: the allocator's own destructor has run by then. */
static void expect_ended(void *round) {
    if ((uintptr_t)round < THREADS_DESTRUCTOR_ROUNDS) {
        pthread_setspecific(late_key, (void *)((uintptr_t)round + 1));
        return;
    }
    expect_no_magazines(NULL);
    HAK_EXPECT(hak_self == NULL);
    hak_free(hak_alloc(16)); /* nobody would end it again */
    HAK_EXPECT(hak_self == NULL);
}

static void end_late(struct work *work) {
    take_all(work, 10);
    give_all(work, 0, 10);
    pthread_setspecific(late_key, (void *)1);
}

HAK_TEST(Magazine, ThreadThatHasEndedGivesAndTakesNothing) {
    HAK_EXPECT_EQ(pthread_key_create(&late_key, expect_ended), 0);
    in_fresh_thread(end_late);
    pthread_key_delete(late_key);
}

static void expect_null_below_every_magazine(struct work *work) {
    take_all(work, 1);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        HAK_EXPECT(hak_self->loaded[c][-(ptrdiff_t)exchange_loaded_level(hak_self, c) - 1] == NULL);
        HAK_EXPECT(hak_returned[c][-(ptrdiff_t)exchange_returned_level(hak_self, c) - 1] == NULL);
    }
    give_all(work, 0, 1);
}

static void expect_levels(struct work *work) {
    (void)work;
    void *slots[2 * MAGAZINE_SLOTS];
    void **end = (void **)(((uintptr_t)slots + MAGAZINE_BYTES - 1) / MAGAZINE_BYTES * MAGAZINE_BYTES) + MAGAZINE_SLOTS;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        for (uint32_t level = 0; level <= hak_classes[c].magazine; level++) {
            HAK_EXPECT_EQ(magazine_level(end - hak_classes[c].magazine + level, c), level);
        }
    }
}

HAK_TEST(Magazine, LevelFollowsFromTheTop) { in_fresh_thread(expect_levels); }

HAK_TEST(Magazine, NullLiesBelowEveryMagazine) { in_fresh_thread(expect_null_below_every_magazine); }

static void expect_refill(struct work *work) {
    void *first = hak_exchange_alloc(CLASS);
    HAK_EXPECT_GT(loaded(), 0);
    HAK_EXPECT_LT(loaded(), CAPACITY / 2); /* half a magazine, and one of it is out */
    uintptr_t last = (uintptr_t)first;
    unsigned n = 0;
    while (loaded() > 0) {
        work->blocks[n] = magazine_take(CLASS);
        HAK_EXPECT_GT((uintptr_t)work->blocks[n], last);
        last = (uintptr_t)work->blocks[n++];
    }
    HAK_EXPECT(magazine_take(CLASS) == NULL);
    hak_exchange_free(CLASS, first);
    give_all(work, 0, n);
}

HAK_TEST(Magazine, RefillLoadsHalfAndPopsAscend) { in_fresh_thread(expect_refill); }

/* Blocks that the refill of a class loads, when its loaded magazine is empty and the blocks are all kept. */
static uint32_t refill(unsigned class_index, void **blocks, uint32_t *taken) {
    blocks[(*taken)++] = hak_exchange_alloc(class_index);
    const uint32_t left = exchange_loaded_level(hak_self, class_index);
    for (uint32_t i = 0; i < left; i++) blocks[(*taken)++] = magazine_take(class_index);
    return left + 1;
}

static void expect_doubling(struct work *work) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT && !exchange_is_uncached(c); c++) {
        const uint32_t size = hak_classes[c].block_size;
        uint32_t expected = size < EXCHANGE_FIRST_BYTES ? EXCHANGE_FIRST_BYTES / size : 1, taken = 0;
        for (unsigned i = 0; i < 8; i++) {
            const bool is_first = hak_self == NULL || exchange_is_unfurnished(hak_self, c);
            const uint32_t half = ((is_first ? hak_exchange_first_room(c) : exchange_capacity(hak_self, c)) + 1) / 2;
            if (expected > half) expected = half;
            const uint32_t loads = refill(c, work->blocks, &taken);
            HAK_EXPECT_LE(loads, expected);
            /* Fewer only where the slab has no more. */
            if (hak_self->classes[c].active[0]->free_count > 0) HAK_EXPECT_EQ(loads, expected);
            expected *= 2;
        }
        for (uint32_t i = 0; i < taken; i++) hak_exchange_free(c, work->blocks[i]);
    }
}

HAK_TEST(Magazine, RefillsBeginWithAPageAndDouble) { in_fresh_thread(expect_doubling); }

static void expect_few_swaps_of_pairs(struct work *work) {
    (void)work;
    hak_free(hak_alloc(1)); /* so that the thread has begun */
    for (unsigned c = 1; c < HAK_CLASS_COUNT && !exchange_is_uncached(c); c++) {
        const uint32_t half = hak_classes[c].magazine / 2;
        const uint64_t before = hak_self->exchanges;
        for (unsigned i = 0; i < 4096; i++) hak_free(hak_alloc(hak_classes[c].block_size));
        /* The first loads, less than doubled eight times, last for EXCHANGE_HOT each; later swaps move half a magazine. */
        HAK_EXPECT_LE(hak_self->exchanges - before, 8 * EXCHANGE_HOT + 4096 / half + 1);
        HAK_EXPECT_EQ(exchange_capacity(hak_self, c), hak_classes[c].magazine);
    }
}

HAK_TEST(Magazine, PairsLoadMoreBlocksSlowly) { in_fresh_thread(expect_few_swaps_of_pairs); }

/* Every class in turn, so that none is exchanged more often than the others. */
static void expect_little_room(struct work *work) {
    for (unsigned round = 0; round < 64; round++) {
        const unsigned count = 1 + round % 16;
        for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
            for (unsigned i = 0; i < count; i++) work->blocks[i] = class_block(c);
            for (unsigned i = 0; i < count; i++) hak_free(work->blocks[i]);
        }
    }
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const size_t room = (size_t)exchange_capacity(hak_self, c) * hak_classes[c].block_size;
        HAK_EXPECT(room <= EXCHANGE_FIRST_ROOM_BYTES || exchange_capacity(hak_self, c) <= EXCHANGE_FIRST_ROOM_BLOCKS);
    }
}

HAK_TEST(Magazine, ClassesThatAreRarelyExchangedStaySmall) {
    if (!HAK_P3_SENTINELS || HAK_CLASS_COUNT < 2 * EXCHANGE_HOT_OF / EXCHANGE_HOT)
        HAK_SKIP("they are as large as they get");
    if (HAK_CAPACITY != 0) HAK_SKIP("room follows from something else than the class");
    in_fresh_thread(expect_little_room);
}

/* A record is used again: the threads run one after the other. */
HAK_TEST(Magazine, NullLiesBelowTheMagazinesOfAnotherThreadsRecord) {
    in_fresh_thread(expect_few_swaps_of_pairs);
    in_fresh_thread(expect_null_below_every_magazine);
    in_fresh_thread(expect_few_swaps_of_pairs);
    in_fresh_thread(expect_null_below_every_magazine);
}

static void expect_room_for_a_magazine(struct work *work) {
    take_all(work, CAPACITY + 1);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        HAK_EXPECT_EQ(returned(), i);
        HAK_EXPECT(magazine_push(CLASS, work->blocks[i]));
    }
    HAK_EXPECT(!magazine_push(CLASS, work->blocks[CAPACITY]));
    HAK_EXPECT_EQ(returned(), CAPACITY);
    hak_exchange_free(CLASS, work->blocks[CAPACITY]);
}

HAK_TEST(Magazine, ReturnedMagazineTakesItsCapacity) { in_fresh_thread(expect_room_for_a_magazine); }

/* Of the calling thread's record. */
static struct thread_class_totals own_counts(unsigned class_index) {
    uint32_t sleeps = 0;
    struct reading_classes classes;
    struct hak_reading_moves moves = hak_reading_begin();
    (void)hak_reading_add(&moves, hak_self, &classes);
    return hak_reading_class(hak_self, class_index, &classes, &sleeps);
}

/* The largest blocks: each gives its memory back at once, and is counted all the same. */
static void expect_no_room(struct work *work) {
    const unsigned c = HAK_L25_CLASS_LAST;
    hak_exchange_free(CLASS, take()); /* so that the thread has begun */
    const struct thread_class_totals before = own_counts(c);
    for (unsigned i = 0; i < 3; i++) {
        work->blocks[i] = hak_alloc(hak_classes[c].block_size);
        HAK_EXPECT(work->blocks[i] != NULL);
    }
    const size_t dirty = hak_region_dirty_bytes();
    for (unsigned i = 0; i < 3; i++) hak_free(work->blocks[i]);
    HAK_EXPECT_GE(hak_region_dirty_bytes(), dirty + 3 * hak_classes[c].block_size);
    const struct thread_class_totals after = own_counts(c);
    HAK_EXPECT_EQ(after.allocations, before.allocations + 3);
    HAK_EXPECT_EQ(after.frees, before.frees + 3);
    HAK_EXPECT_EQ(after.cached_blocks, before.cached_blocks);
}

HAK_TEST(Magazine, LargestBlocksStayInNone) {
    if (!exchange_is_uncached(HAK_L25_CLASS_LAST) || !HAK_P1_BATCHED_STATS)
        HAK_SKIP("they do, or counts are estimated");
    in_fresh_thread(expect_no_room);
}

static void expect_swap(struct work *work) {
    take_all(work, 2 * CAPACITY);
    uint32_t taken = 2 * CAPACITY;
    while (loaded() > 0) work->blocks[taken++] = magazine_take(CLASS);
    const uint32_t least = exchange_swap_least(hak_self, CLASS);
    give_all(work, 0, least);
    struct slab *active = hak_self->classes[CLASS].active[0];
    uint32_t free_count = active->free_count;
    HAK_EXPECT_PTR_EQ(hak_exchange_alloc(CLASS), work->blocks[least - 1]); /* the last that came back */
    HAK_EXPECT_EQ(loaded(), least - 1);
    HAK_EXPECT_EQ(returned(), 0);
    HAK_EXPECT_EQ(active->free_count, free_count);
    give_all(work, least - 1, taken - (least - 1));
}

HAK_TEST(Magazine, EmptyLoadedAndReturnedOneChangePlaces) { in_fresh_thread(expect_swap); }

static void expect_no_swap_for_few(struct work *work) {
    take_all(work, 2 * CAPACITY);
    uint32_t taken = 2 * CAPACITY;
    while (loaded() > 0) work->blocks[taken++] = magazine_take(CLASS);
    const uint32_t few = exchange_swap_least(hak_self, CLASS) - 1;
    give_all(work, 0, few);
    void *p = hak_exchange_alloc(CLASS);
    HAK_EXPECT_EQ(returned(), few);
    HAK_EXPECT_GT(loaded(), 0);
    hak_exchange_free(CLASS, p);
    give_all(work, few, taken - few);
}

HAK_TEST(Magazine, FewBlocksThatCameBackStayUntilThereAreMore) { in_fresh_thread(expect_no_swap_for_few); }

/* The largest tiny blocks, of which no magazine goes into a stash. */
#define UNSTASHED ((unsigned)HAK_TINY_CLASS_LAST)

static void expect_youngest_half_to_stay(struct work *work) {
    const uint32_t capacity = hak_classes[UNSTASHED].magazine, kept = capacity - capacity / 2;
    HAK_EXPECT_EQ(hak_classes[UNSTASHED].stash, 0);
    while (hak_self == NULL || exchange_capacity(hak_self, UNSTASHED) < capacity) hak_free(class_block(UNSTASHED));
    hak_thread_flush();
    uint32_t taken = 0;
    while (taken <= capacity || exchange_loaded_level(hak_self, UNSTASHED) == 0) {
        work->blocks[taken++] = class_block(UNSTASHED);
    }
    for (uint32_t i = 0; i < capacity + 1; i++) give_live(UNSTASHED, work->blocks[i]);
    void **top = hak_returned[UNSTASHED];
    HAK_EXPECT_EQ(exchange_returned_level(hak_self, UNSTASHED), kept + 1);
    for (uint32_t i = 0; i <= kept; i++) HAK_EXPECT_PTR_EQ(top[-1 - (int)i], work->blocks[capacity - i]);
    for (uint32_t i = capacity + 1; i < taken; i++) give_live(UNSTASHED, work->blocks[i]);
}

HAK_TEST(Magazine, FullReturnedMagazineWithoutAStashLosesItsOldestHalf) {
    in_fresh_thread(expect_youngest_half_to_stay);
}

static void expect_flush(struct work *work) {
    take_all(work, 300);
    give_all(work, 0, 200);
    HAK_EXPECT(hak_self->classes[CLASS].active[0] != NULL);
    hak_thread_flush();
    HAK_EXPECT_EQ(loaded(), 0);
    HAK_EXPECT_EQ(returned(), 0);
    HAK_EXPECT(hak_self->classes[CLASS].active[0] == NULL);
    HAK_EXPECT(hak_self->classes[CLASS].active[1] == NULL);
    HAK_EXPECT_EQ(census_class(CLASS).cached_blocks, 0);
    give_all(work, 200, 100);
    take_all(work, 1);
    give_all(work, 0, 1);
}

HAK_TEST(Magazine, FlushEmptiesBothAndGivesUpTheSlabs) { in_fresh_thread(expect_flush); }

static size_t own_large_bytes(void) {
    size_t bytes = 0;
    for (unsigned c = HAK_L2_CLASS_FIRST; c < HAK_CLASS_COUNT; c++) {
        const uint32_t blocks = exchange_loaded_level(hak_self, c) + exchange_returned_level(hak_self, c);
        bytes += (size_t)blocks * hak_classes[c].block_size;
    }
    return bytes;
}

/* A buffer that grows through every class leaves a block in each; what follows uses one class only. */
static void expect_bound(struct work *work) {
    for (unsigned c = HAK_L2_CLASS_FIRST; c < HAK_CLASS_COUNT; c++) {
        for (unsigned i = 0; i < 3; i++) work->blocks[i] = hak_exchange_alloc(c);
        for (unsigned i = 0; i < 3; i++) hak_exchange_free(c, work->blocks[i]);
    }
    const unsigned used = HAK_L2_CLASS_FIRST;
    HAK_EXPECT_GT(own_large_bytes(), hak_share_kept_bytes());
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < BLOCKS_MAX; i++) work->blocks[i] = class_block(used);
        for (unsigned i = 0; i < BLOCKS_MAX; i++) hak_free(work->blocks[i]);
    }
    /* The class in use was empty when the exchange looked, and is full now. */
    const size_t in_use = (size_t)2 * hak_classes[used].magazine * hak_classes[used].block_size;
    HAK_EXPECT_LE(own_large_bytes(), hak_share_kept_bytes() + in_use);
    HAK_EXPECT_GT(census_class(used).cached_blocks, 0);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Magazine, ClassesThatAreNoLongerUsedGiveTheirBytesBack) { in_fresh_thread(expect_bound); }

static void expect_counts(struct work *work) {
    hak_exchange_free(CLASS, take()); /* so that the thread has begun */
    struct thread_class_totals before = own_counts(CLASS), after = before;
    for (uint32_t i = 0; i < 200; i++) {
        work->blocks[i] = take();
        after = own_counts(CLASS);
        HAK_EXPECT_EQ(after.allocations, before.allocations + i + 1);
    }
    for (uint32_t i = 0; i < 200; i++) {
        hak_exchange_free(CLASS, work->blocks[i]);
        after = own_counts(CLASS);
        HAK_EXPECT_EQ(after.frees, before.frees + i + 1);
    }
    HAK_EXPECT_EQ(after.allocations, before.allocations + 200);
    HAK_EXPECT_EQ(after.cached_blocks, loaded() + returned() + hak_self->classes[CLASS].stashed * CAPACITY);
}

HAK_TEST(Magazine, CountsFollowFromTheLevelsAfterEveryCall) {
    if (!HAK_P1_BATCHED_STATS) HAK_SKIP("counts are estimated");
    in_fresh_thread(expect_counts);
}

/* The way of builds with guard whose shadow had to give way to a limit. */
static void expect_taken_one_by_one(struct work *work) {
    HAK_EXPECT_PTR_EQ(hak_record_take_limited(NULL, CLASS), NULL);
    work->blocks[0] = class_block(CLASS);
    void **const top = hak_self->loaded[CLASS];
    const uint32_t level = loaded();
    HAK_EXPECT_GT(level, 1);
    for (uint32_t i = 0; i < level; i++) {
        HAK_EXPECT_PTR_EQ(hak_record_take_limited(hak_self, CLASS), top[-1 - (ptrdiff_t)i]);
        HAK_EXPECT_EQ(loaded(), level - 1 - i);
    }
    HAK_EXPECT_PTR_EQ(hak_record_take_limited(hak_self, CLASS), NULL);
    HAK_EXPECT_EQ(loaded(), 0);
    hak_self->loaded[CLASS] = top;
    hak_free(work->blocks[0]);
}

HAK_TEST(Magazine, WhereTheShadowGaveWayTheTopBlockIsTakenToo) { in_fresh_thread(expect_taken_one_by_one); }
