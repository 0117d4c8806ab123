/* SPDX-License-Identifier: MIT */
/* The stash of full magazines: what goes in, what comes out, how much stays. */
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/stash.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/unit/fresh_thread.h"

static void take_all(struct work *work, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) work->blocks[i] = class_block(CLASS);
}

static void give_all(struct work *work, uint32_t first, uint32_t count) {
    for (uint32_t i = first; i < first + count; i++) hak_free(work->blocks[i]);
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
    while (loaded() == 0) work->blocks[taken++] = class_block(CLASS);
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
    for (uint32_t i = 0; i < left; i++) work->blocks[i] = class_block(CLASS);
    HAK_EXPECT_PTR_EQ(class_block(CLASS), work->blocks[2 * CAPACITY - 1]);
    HAK_EXPECT_EQ(stashed(), 1);
    HAK_EXPECT_EQ(loaded(), CAPACITY - 1);
    HAK_EXPECT_EQ(active->free_count, free_count);
    hak_free(work->blocks[2 * CAPACITY - 1]);
    give_all(work, 0, left);
    give_all(work, 2 * CAPACITY + 1, taken - (2 * CAPACITY + 1));
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Stash, FullReturnedMagazineGoesToTheStashAndComesBackWhole) { in_fresh_thread(expect_stash); }

static void expect_bounded_stash(struct work *work) {
    for (int round = 0; round < 20; round++) {
        const uint32_t taken = take_burst(work);
        for (uint32_t i = 0; i < taken; i++) {
            hak_free(work->blocks[i]);
            HAK_EXPECT_LE(stashed(), hak_classes[CLASS].stash);
        }
    }
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_class *class = &hak_classes[c];
        HAK_EXPECT_LE((size_t) class->stash * class->magazine * class->block_size, HAK_STASH_BYTES);
    }
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Stash, StashIsBounded) { in_fresh_thread(expect_bounded_stash); }

/* Each thread takes its spares anew; what a class of longer magazines left in them must not look like a block. */
static void use_every_stash(struct work *work) {
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned k = 1; k < HAK_CLASS_COUNT; k++) {
            const unsigned c = round == 0 ? k : HAK_CLASS_COUNT - k;
            for (uint32_t i = 0; i < BLOCKS_MAX; i++) work->blocks[i] = class_block(c);
            for (uint32_t i = 0; i < BLOCKS_MAX; i++) hak_free(work->blocks[i]);
            HAK_EXPECT(hak_self->loaded[c][-(ptrdiff_t)exchange_loaded_level(hak_self, c) - 1] == NULL);
            HAK_EXPECT(hak_returned[c][-(ptrdiff_t)exchange_returned_level(hak_self, c) - 1] == NULL);
        }
        CENSUS_EXPECT_CONSISTENT();
        hak_thread_flush();
    }
}

HAK_TEST(Stash, SparesServeClassesOfEveryCapacity) {
    in_fresh_thread(use_every_stash);
    in_fresh_thread(use_every_stash);
}

/* What was said of fresh blocks before does not hold for those that came back, in whichever way they are loaded. */
static void claim_zeroed(void) { hak_self->classes[CLASS].loaded_zeroed = true; }

/* Blocks that are out, and an empty loaded magazine. */
static uint32_t take_all_loaded(struct work *work) {
    uint32_t taken = 0;
    while (taken <= CAPACITY || loaded() > 0) work->blocks[taken++] = class_block(CLASS);
    return taken;
}

static void expect_no_claim_by_alloc(struct work *work) {
    const uint32_t taken = take_all_loaded(work), few = CAPACITY / 2;
    give_all(work, 0, few);
    claim_zeroed();
    work->blocks[0] = class_block(CLASS);
    HAK_EXPECT_EQ(loaded(), few - 1);
    HAK_EXPECT(!exchange_is_zeroed(CLASS));
    hak_free(work->blocks[0]);
    give_all(work, few, taken - few);
}

static void expect_no_claim_by_free(struct work *work) {
    const uint32_t taken = take_all_loaded(work);
    claim_zeroed();
    give_all(work, 0, CAPACITY + 1);
    HAK_EXPECT_EQ(loaded(), CAPACITY);
    HAK_EXPECT(!exchange_is_zeroed(CLASS));
    give_all(work, CAPACITY + 1, taken - (CAPACITY + 1));
}

static void expect_no_claim_by_stash(struct work *work) {
    const uint32_t taken = take_burst(work);
    give_all(work, 0, taken);
    const uint32_t before = stashed();
    uint32_t again = 0;
    HAK_EXPECT_GT(before, 0);
    while (stashed() == before && again < BLOCKS_MAX) {
        claim_zeroed();
        work->blocks[again++] = class_block(CLASS);
    }
    HAK_EXPECT_EQ(stashed(), before - 1);
    HAK_EXPECT(!exchange_is_zeroed(CLASS));
    give_all(work, 0, again);
}

HAK_TEST(Stash, BlocksThatCameBackAreNotSaidToBeZero) {
    in_fresh_thread(expect_no_claim_by_alloc);
    in_fresh_thread(expect_no_claim_by_free);
    in_fresh_thread(expect_no_claim_by_stash);
}

/* What a thread before may have left below the first slot of storage that is not used yet. */
static void mark_below_spares(void *mark) {
    for (unsigned i = hak_self->magazines_used; i < THREAD_MAGAZINES; i++) {
        hak_self->magazines[i][MAGAZINE_SLOTS - CAPACITY - 1] = mark;
    }
}

static void expect_no_block_below_a_spare(struct work *work) {
    static int mark;
    hak_free(class_block(CLASS)); /* the thread begins */
    mark_below_spares(&mark);
    const uint32_t taken = take_burst(work);
    give_all(work, 0, taken);
    HAK_EXPECT_GT(stashed(), 0);
    HAK_EXPECT_GT(hak_self->spares_used, 0);
    for (uint32_t i = 0; i < taken; i++) {
        work->blocks[i] = class_block(CLASS);
        if (work->blocks[i] == &mark) {
            HAK_EXPECT(work->blocks[i] != &mark); /* and is not freed */
            return;
        }
    }
    give_all(work, 0, taken);
    mark_below_spares(NULL);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Stash, NothingThatLiesBelowASpareIsGivenOut) { in_fresh_thread(expect_no_block_below_a_spare); }

static void take_for_others(struct work *work) { take_all(work, BLOCKS_MAX); }

static void expect_nothing_to_stay(struct work *work) {
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        hak_free(work->blocks[i]);
        HAK_EXPECT_LE(census_class(CLASS).cached_blocks, CAPACITY);
    }
}

HAK_TEST(Stash, ThreadThatOnlyFreesKeepsOneMagazine) {
    static struct work work;
    work.body = take_for_others;
    work_in_thread(&work);
    work.body = expect_nothing_to_stay;
    work_in_thread(&work);
}

/* ---- The two lists alone ---- */

/* Beside arrays: the youngest or the oldest comes out, and storage that was emptied is filled again, the last of it first, before any
 * that was never used. */
static void expect_lists(struct work *work) {
    void **full[MAGAZINE_SLOTS], **emptied[MAGAZINE_SLOTS];
    uint32_t full_count = 0, emptied_count = 0;
    uint64_t random = 5;
    (void)work;
    hak_free(class_block(CLASS)); /* the thread begins */
    void **own = hak_stash_make_room(hak_self, CLASS);
    HAK_ASSERT_TRUE(own != NULL && hak_classes[CLASS].stash >= 3);
    for (unsigned step = 0; step < 1000 && harness_failure_count() == 0; step++) {
        const unsigned kind = (unsigned)(random_xorshift64(&random) % 4);
        const uint32_t used = hak_self->magazines_used, spares = hak_self->spares_used;
        if (kind < 2) {
            void **const storage = hak_stash_make_room(hak_self, CLASS);
            const bool has_room = full_count < hak_classes[CLASS].stash, is_new = has_room && emptied_count == 0;
            HAK_EXPECT_EQ(storage != NULL, has_room);
            HAK_EXPECT_EQ(hak_self->magazines_used - used, is_new);
            HAK_EXPECT_EQ(hak_self->spares_used - spares, is_new);
            if (!has_room) continue;
            HAK_EXPECT(is_new ? storage == hak_self->magazines[used] : storage == emptied[--emptied_count]);
            hak_stash_put(hak_self, CLASS, storage);
            full[full_count++] = storage;
        } else if (kind == 2 && full_count > 0) {
            void **const storage = hak_stash_take(hak_self, CLASS, own);
            HAK_EXPECT(storage == full[--full_count]);
            emptied[emptied_count++] = own;
            own = storage;
        } else if (full_count > 0) {
            void **const storage = hak_stash_take_oldest(hak_self, CLASS);
            HAK_EXPECT(storage == full[0]);
            memmove(full, full + 1, --full_count * sizeof *full);
            hak_stash_put_back(hak_self, CLASS, storage);
            emptied[emptied_count++] = storage;
        }
        HAK_EXPECT_EQ(stashed(), full_count);
    }
    while (stashed() > 0) (void)hak_stash_take_oldest(hak_self, CLASS);
}

HAK_TEST(Stash, TheYoungestComesOutAndTheOldestWhereThatIsAskedFor) { in_fresh_thread(expect_lists); }

/* A record has a limited number of spare magazines for all classes. One that was emptied may be filled again all the same. */
static void expect_so_many_spares(struct work *work) {
    (void)work;
    hak_free(class_block(CLASS));
    const uint32_t used = hak_self->magazines_used;
    hak_self->spares_used = THREAD_SPARES - 1;
    void **const last = hak_stash_make_room(hak_self, CLASS);
    HAK_EXPECT(last == hak_self->magazines[used]);
    HAK_EXPECT_EQ(hak_self->spares_used, THREAD_SPARES);
    HAK_EXPECT(hak_stash_make_room(hak_self, CLASS) == NULL);
    HAK_EXPECT_EQ(hak_self->magazines_used, used + 1);
    hak_stash_put_back(hak_self, CLASS, last);
    HAK_EXPECT(hak_stash_make_room(hak_self, CLASS) == last);
    HAK_EXPECT_EQ(hak_self->spares_used, THREAD_SPARES);
    /* And there is no room while a magazine of the class is smaller than its full capacity. */
    hak_stash_put_back(hak_self, CLASS, last);
    struct hak_thread_class *const own = &hak_self->classes[CLASS];
    const uint8_t unused = own->unused_slots, loaded_unused = own->loaded_unused;
    own->unused_slots = 1;
    HAK_EXPECT(hak_stash_make_room(hak_self, CLASS) == NULL);
    own->unused_slots = unused;
    own->loaded_unused = 1;
    HAK_EXPECT(hak_stash_make_room(hak_self, CLASS) == NULL);
    own->loaded_unused = loaded_unused;
    HAK_EXPECT(hak_stash_make_room(hak_self, CLASS) == last);
}

HAK_TEST(Stash, ARecordHasSoManySpares) { in_fresh_thread(expect_so_many_spares); }

/* The last magazine of the record is one of its own, and what lies behind it is none; nor is what begins within one. */
HAK_TEST(Stash, ALinkThatLeadsBehindTheLastMagazineIsFound) {
    hak_free(class_block(CLASS));
    void ***const full = &hak_self->stashes[CLASS].full;
    void **const last = hak_self->magazines[THREAD_MAGAZINES - 1];
    HAK_EXPECT_EXIT_OK({
        *full = last;
        last[0] = NULL;
        hak_self->classes[CLASS].stashed = 1;
        HAK_EXPECT(hak_stash_take_oldest(hak_self, CLASS) == last);
        HAK_EXPECT_EQ(stashed(), 0);
    });
    HAK_EXPECT_DEATH(
        {
            *full = last + MAGAZINE_SLOTS;
            (void)hak_stash_take(hak_self, CLASS, last);
        },
        "corrupted: its stash");
    HAK_EXPECT_DEATH(
        {
            *full = last + 1;
            (void)hak_stash_take(hak_self, CLASS, last);
        },
        "corrupted: its stash");
}
