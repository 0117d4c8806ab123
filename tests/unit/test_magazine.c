/* Magazines from inside: sentinels, order, and what an exchange moves. Each test works in a fresh thread, whose
 * magazines are empty. */
#include <pthread.h>
#include <stdint.h>

#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/pool.h"
#include "hakmem/magazine/stash.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define CLASS 4u
#define CAPACITY (hak_classes[CLASS].magazine)
#define BLOCKS_MAX 1024

struct work {
    void *blocks[BLOCKS_MAX];
    void (*body)(struct work *work);
};

static void enter(void *argument, unsigned index) {
    struct work *work = (struct work *)argument;
    (void)index;
    work->body(work);
}

static void in_fresh_thread(void (*body)(struct work *work)) {
    struct work work = {{NULL}, body};
    threads_run(1, enter, &work);
}

static uint32_t loaded(void) { return magazine_level(hak_loaded[CLASS], CLASS); }
static uint32_t returned(void) { return magazine_level(hak_returned[CLASS], CLASS); }

static void *take(void) {
    void *p = magazine_pop(CLASS);
    return p != NULL ? p : exchange_alloc(CLASS);
}

static void take_all(struct work *work, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) work->blocks[i] = take();
}

static void give_all(struct work *work, uint32_t first, uint32_t count) {
    for (uint32_t i = first; i < first + count; i++) exchange_free(CLASS, work->blocks[i]);
}

static void expect_no_magazine(unsigned class_index) {
    int local = 0;
    /* Without P3 the pools themselves keep class 0 out. */
    if (HAK_P3_SENTINELS || class_index != 0) HAK_EXPECT(magazine_pop(class_index) == NULL);
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
        void **loaded_top = hak_loaded[c], **returned_top = hak_returned[c];
        HAK_EXPECT(loaded_top[-(ptrdiff_t)magazine_level(loaded_top, c) - 1] == NULL);
        HAK_EXPECT(returned_top[-(ptrdiff_t)magazine_level(returned_top, c) - 1] == NULL);
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
    void *first = exchange_alloc(CLASS);
    HAK_EXPECT_GT(loaded(), 0);
    HAK_EXPECT_LT(loaded(), CAPACITY / 2); /* half a magazine, and one of it is out */
    uintptr_t last = (uintptr_t)first;
    unsigned n = 0;
    while (loaded() > 0) {
        work->blocks[n] = magazine_pop(CLASS);
        HAK_EXPECT_GT((uintptr_t)work->blocks[n], last);
        last = (uintptr_t)work->blocks[n++];
    }
    HAK_EXPECT(magazine_pop(CLASS) == NULL);
    exchange_free(CLASS, first);
    give_all(work, 0, n);
}

HAK_TEST(Magazine, RefillLoadsHalfAndPopsAscend) { in_fresh_thread(expect_refill); }

/* Blocks that the refill of a class loads, when its loaded magazine is empty and the blocks are all kept. */
static uint32_t refill(unsigned class_index, void **blocks, uint32_t *taken) {
    blocks[(*taken)++] = exchange_alloc(class_index);
    const uint32_t left = magazine_level(hak_loaded[class_index], class_index);
    for (uint32_t i = 0; i < left; i++) blocks[(*taken)++] = magazine_pop(class_index);
    return left + 1;
}

static void expect_doubling(struct work *work) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const uint32_t half = hak_classes[c].magazine / 2, size = hak_classes[c].block_size;
        uint32_t expected = size < EXCHANGE_FIRST_BYTES ? EXCHANGE_FIRST_BYTES / size : 1, taken = 0;
        for (unsigned i = 0; i < 8; i++) {
            if (expected > half) expected = half;
            const uint32_t loads = refill(c, work->blocks, &taken);
            HAK_EXPECT_LE(loads, expected);
            /* Fewer only where the slab has no more. */
            if (hak_self->classes[c].active[0]->free_count > 0) HAK_EXPECT_EQ(loads, expected);
            expected *= 2;
        }
        for (uint32_t i = 0; i < taken; i++) hak_free(work->blocks[i]);
    }
}

HAK_TEST(Magazine, RefillsBeginWithAPageAndDouble) { in_fresh_thread(expect_doubling); }

static void expect_few_swaps_of_pairs(struct work *work) {
    (void)work;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const uint32_t half = hak_classes[c].magazine / 2;
        const uint64_t before = hak_self == NULL ? 0 : hak_self->exchanges;
        for (unsigned i = 0; i < 4096; i++) hak_free(hak_alloc(hak_classes[c].block_size));
        /* The first loads, less than doubled eight times, take nine exchanges each; later swaps move half a magazine. */
        HAK_EXPECT_LE(hak_self->exchanges - before, 8 * 9 + 4096 / half + 1);
    }
}

HAK_TEST(Magazine, PairsLoadMoreBlocksSlowly) { in_fresh_thread(expect_few_swaps_of_pairs); }

static void expect_room_for_a_magazine(struct work *work) {
    take_all(work, CAPACITY + 1);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        HAK_EXPECT_EQ(returned(), i);
        HAK_EXPECT(magazine_push(CLASS, work->blocks[i]));
    }
    HAK_EXPECT(!magazine_push(CLASS, work->blocks[CAPACITY]));
    HAK_EXPECT_EQ(returned(), CAPACITY);
    exchange_free(CLASS, work->blocks[CAPACITY]);
}

HAK_TEST(Magazine, ReturnedMagazineTakesItsCapacity) { in_fresh_thread(expect_room_for_a_magazine); }

static void expect_swap(struct work *work) {
    take_all(work, 2 * CAPACITY);
    uint32_t taken = 2 * CAPACITY;
    while (loaded() > 0) work->blocks[taken++] = magazine_pop(CLASS);
    const uint32_t least = exchange_swap_least(CLASS);
    give_all(work, 0, least);
    struct slab *active = hak_self->classes[CLASS].active[0];
    uint32_t free_count = active->free_count;
    HAK_EXPECT_PTR_EQ(exchange_alloc(CLASS), work->blocks[least - 1]); /* the last that came back */
    HAK_EXPECT_EQ(loaded(), least - 1);
    HAK_EXPECT_EQ(returned(), 0);
    HAK_EXPECT_EQ(active->free_count, free_count);
    give_all(work, least - 1, taken - (least - 1));
}

HAK_TEST(Magazine, EmptyLoadedAndReturnedOneChangePlaces) { in_fresh_thread(expect_swap); }

static void expect_no_swap_for_few(struct work *work) {
    take_all(work, 2 * CAPACITY);
    uint32_t taken = 2 * CAPACITY;
    while (loaded() > 0) work->blocks[taken++] = magazine_pop(CLASS);
    const uint32_t few = exchange_swap_least(CLASS) - 1;
    give_all(work, 0, few);
    void *p = exchange_alloc(CLASS);
    HAK_EXPECT_EQ(returned(), few);
    HAK_EXPECT_GT(loaded(), 0);
    exchange_free(CLASS, p);
    give_all(work, few, taken - few);
}

HAK_TEST(Magazine, FewBlocksThatCameBackStayUntilThereAreMore) { in_fresh_thread(expect_no_swap_for_few); }

/* The largest tiny blocks, of which no magazine goes into a stash. */
#define UNSTASHED ((unsigned)HAK_TINY_CLASS_LAST)

static void expect_youngest_half_to_stay(struct work *work) {
    const uint32_t capacity = hak_classes[UNSTASHED].magazine, kept = capacity - capacity / 2;
    HAK_EXPECT_EQ(hak_classes[UNSTASHED].stash, 0);
    uint32_t taken = 0;
    while (taken <= capacity || magazine_level(hak_loaded[UNSTASHED], UNSTASHED) == 0) {
        work->blocks[taken++] = pool_alloc(UNSTASHED);
    }
    for (uint32_t i = 0; i < capacity + 1; i++) exchange_free(UNSTASHED, work->blocks[i]);
    void **top = hak_returned[UNSTASHED];
    HAK_EXPECT_EQ(magazine_level(top, UNSTASHED), kept + 1);
    for (uint32_t i = 0; i <= kept; i++) HAK_EXPECT_PTR_EQ(top[-1 - (int)i], work->blocks[capacity - i]);
    for (uint32_t i = capacity + 1; i < taken; i++) exchange_free(UNSTASHED, work->blocks[i]);
}

HAK_TEST(Magazine, FullReturnedMagazineWithoutAStashLosesItsOldestHalf) {
    in_fresh_thread(expect_youngest_half_to_stay);
}

static uint32_t stashed(void) { return hak_self->classes[CLASS].stashed; }

/* Blocks of a burst: what fills both magazines and the stash, and one more. */
#define BURST (CAPACITY * (hak_classes[CLASS].stash + 2u) + 1u)

/* Takes a burst and leaves a block in the loaded magazine. */
static uint32_t take_burst(struct work *work) {
    uint32_t taken = BURST;
    HAK_EXPECT_GT(hak_classes[CLASS].stash, 0);
    HAK_EXPECT_LT(BURST, BLOCKS_MAX);
    take_all(work, taken);
    while (loaded() == 0) work->blocks[taken++] = take();
    return taken;
}

static void expect_stash(struct work *work) {
    const uint32_t taken = take_burst(work);
    struct slab *active = hak_self->classes[CLASS].active[0];
    const uint32_t left = loaded(), free_count = active->free_count;
    give_all(work, 0, 2 * CAPACITY + 1);
    HAK_EXPECT_EQ(stashed(), 2);
    HAK_EXPECT_EQ(returned(), 1);
    HAK_EXPECT_EQ(active->free_count, free_count);
    HAK_EXPECT_EQ(census_class(CLASS).cached_blocks, left + 2 * CAPACITY + 1);
    /* The youngest comes first. */
    for (uint32_t i = 0; i < left; i++) work->blocks[i] = magazine_pop(CLASS);
    HAK_EXPECT_PTR_EQ(exchange_alloc(CLASS), work->blocks[2 * CAPACITY - 1]);
    HAK_EXPECT_EQ(stashed(), 1);
    HAK_EXPECT_EQ(loaded(), CAPACITY - 1);
    HAK_EXPECT_EQ(active->free_count, free_count);
    exchange_free(CLASS, work->blocks[2 * CAPACITY - 1]);
    give_all(work, 0, left);
    give_all(work, 2 * CAPACITY + 1, taken - (2 * CAPACITY + 1));
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Magazine, FullReturnedMagazineGoesToTheStashAndComesBackWhole) { in_fresh_thread(expect_stash); }

static void expect_bounded_stash(struct work *work) {
    for (int round = 0; round < 20; round++) {
        const uint32_t taken = take_burst(work);
        for (uint32_t i = 0; i < taken; i++) {
            exchange_free(CLASS, work->blocks[i]);
            HAK_EXPECT_LE(stashed(), hak_classes[CLASS].stash);
        }
    }
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_class *class = &hak_classes[c];
        HAK_EXPECT_LE((size_t)class->stash * class->magazine * class->block_size, HAK_STASH_BYTES);
    }
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Magazine, StashIsBounded) { in_fresh_thread(expect_bounded_stash); }

/* Each thread takes its spares anew; what a class of longer magazines left in them must not look like a block. */
static void use_every_stash(struct work *work) {
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned k = 1; k < HAK_CLASS_COUNT; k++) {
            const unsigned c = round == 0 ? k : HAK_CLASS_COUNT - k;
            for (uint32_t i = 0; i < BLOCKS_MAX; i++) work->blocks[i] = pool_alloc(c);
            for (uint32_t i = 0; i < BLOCKS_MAX; i++) hak_free(work->blocks[i]);
            HAK_EXPECT(hak_loaded[c][-(ptrdiff_t)magazine_level(hak_loaded[c], c) - 1] == NULL);
            HAK_EXPECT(hak_returned[c][-(ptrdiff_t)magazine_level(hak_returned[c], c) - 1] == NULL);
        }
        CENSUS_EXPECT_CONSISTENT();
        hak_thread_flush();
    }
}

HAK_TEST(Magazine, SparesServeClassesOfEveryCapacity) {
    in_fresh_thread(use_every_stash);
    in_fresh_thread(use_every_stash);
}

static void take_for_others(struct work *work) { take_all(work, BLOCKS_MAX); }

static void expect_nothing_to_stay(struct work *work) {
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        exchange_free(CLASS, work->blocks[i]);
        HAK_EXPECT_LE(census_class(CLASS).cached_blocks, CAPACITY);
    }
}

HAK_TEST(Magazine, ThreadThatOnlyFreesKeepsOneMagazine) {
    static struct work work;
    work.body = take_for_others;
    threads_run(1, enter, &work);
    work.body = expect_nothing_to_stay;
    threads_run(1, enter, &work);
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
        const uint32_t blocks = magazine_level(hak_loaded[c], c) + magazine_level(hak_returned[c], c);
        bytes += (size_t)blocks * hak_classes[c].block_size;
    }
    return bytes;
}

/* A buffer that grows through every class leaves a block in each; what follows uses one class only. */
static void expect_bound(struct work *work) {
    for (unsigned c = HAK_L2_CLASS_FIRST; c < HAK_CLASS_COUNT; c++) {
        work->blocks[0] = exchange_alloc(c);
        exchange_free(c, work->blocks[0]);
    }
    const unsigned used = HAK_L2_CLASS_FIRST;
    HAK_EXPECT_GT(own_large_bytes(), EXCHANGE_LARGE_BYTES);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < BLOCKS_MAX; i++) work->blocks[i] = pool_alloc(used);
        for (unsigned i = 0; i < BLOCKS_MAX; i++) hak_free(work->blocks[i]);
    }
    /* The class in use was empty when the exchange looked, and is full now. */
    const size_t in_use = (size_t)2 * hak_classes[used].magazine * hak_classes[used].block_size;
    HAK_EXPECT_LE(own_large_bytes(), EXCHANGE_LARGE_BYTES + in_use);
    HAK_EXPECT_GT(census_class(used).cached_blocks, 0);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Magazine, ClassesThatAreNoLongerUsedGiveTheirBytesBack) { in_fresh_thread(expect_bound); }

static void expect_counts(struct work *work) {
    struct thread_class_totals before, after;
    thread_class_totals(CLASS, &before);
    for (uint32_t i = 0; i < 200; i++) {
        work->blocks[i] = take();
        thread_class_totals(CLASS, &after);
        HAK_EXPECT_EQ(after.allocations, before.allocations + i + 1);
    }
    for (uint32_t i = 0; i < 200; i++) {
        exchange_free(CLASS, work->blocks[i]);
        thread_class_totals(CLASS, &after);
        HAK_EXPECT_EQ(after.frees, before.frees + i + 1);
    }
    HAK_EXPECT_EQ(after.allocations, before.allocations + 200);
    HAK_EXPECT_EQ(after.cached_blocks, before.cached_blocks + loaded() + returned() + stashed() * CAPACITY);
}

HAK_TEST(Magazine, CountsFollowFromTheLevelsAfterEveryCall) {
    if (!HAK_P1_BATCHED_STATS) HAK_SKIP("counts are estimated");
    in_fresh_thread(expect_counts);
}
