/* SPDX-License-Identifier: MIT */
/* hak_walk against a model: the blocks that the test itself holds, in all pools and several threads. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define SLOTS 400
#define THREADS 4
#define ROUNDS 3000

/* What the walk said. Static, so that nothing of it is a block of the allocator. */
struct seen {
    struct hak_walk_block blocks[THREADS * SLOTS + 2000];
    size_t count;
};
static struct seen all_before, all_after;

static bool note(const struct hak_walk_block *block, void *argument) {
    struct seen *seen = (struct seen *)argument;
    HAK_EXPECT_LT(seen->count, sizeof seen->blocks / sizeof *seen->blocks);
    seen->blocks[seen->count++] = *block;
    return true;
}

static const struct hak_walk_block *find(const struct seen *seen, const void *start) {
    const struct hak_walk_block *found = NULL;
    for (size_t i = 0; i < seen->count; i++) {
        if (seen->blocks[i].start == start) {
            HAK_EXPECT(found == NULL); /* once */
            found = &seen->blocks[i];
        }
    }
    return found;
}

static void walk(struct seen *seen) {
    struct hak_walk_result result;
    seen->count = 0;
    HAK_EXPECT_EQ(hak_walk(note, seen, &result), 0);
    HAK_EXPECT_EQ(result.blocks, seen->count);
    HAK_EXPECT_EQ(result.exact, HAK_P3_SENTINELS || HAK_GUARD_EXACT);
}

static void expect_block(const struct seen *seen, const void *p) {
    const struct hak_walk_block *block = find(seen, p);
    struct hak_owner_info owner;
    HAK_EXPECT(block != NULL && hak_owner(p, &owner));
    if (block == NULL) return;
    HAK_EXPECT_EQ(block->size, hak_usable_size(p));
    HAK_EXPECT_EQ(block->pool, owner.pool);
    HAK_EXPECT_EQ(block->class_index, owner.class_index);
    HAK_EXPECT_EQ(block->thread, owner.thread);
    HAK_EXPECT(block->site == NULL);
}

struct crowd {
    void *slots[THREADS][SLOTS];
    pthread_barrier_t done, walked;
};

/* Each thread replaces blocks of its own and, through the rows, of the others: frees pass between threads. */
static void churn(void *argument, unsigned index) {
    struct crowd *crowd = (struct crowd *)argument;
    uint64_t random = 77 + index;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t value = random_xorshift64(&random);
        void **slot = &crowd->slots[(index + (value >> 60) % 2) % THREADS][value % SLOTS];
        void *p = value >> 59 & 1 ? NULL : hak_alloc(census_sizes[(value >> 32) % CENSUS_SIZE_COUNT]);
        /* Acquire-release: the block passes to whoever takes it out. */
        hak_free(__atomic_exchange_n(slot, p, __ATOMIC_ACQ_REL));
    }
    pthread_barrier_wait(&crowd->done);
    pthread_barrier_wait(&crowd->walked);
}

HAK_TEST(Walk, FindsEveryLiveBlockOfAllThreadsOnceAndNoOther) {
    static struct crowd crowd;
    pthread_barrier_init(&crowd.done, NULL, THREADS + 1);
    pthread_barrier_init(&crowd.walked, NULL, THREADS + 1);
    struct threads threads;
    walk(&all_before);
    threads_start(&threads, THREADS, churn, &crowd);
    pthread_barrier_wait(&crowd.done);
    walk(&all_after);
    size_t held = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < SLOTS; i++) {
            if (crowd.slots[t][i] == NULL) continue;
            held++;
            expect_block(&all_after, crowd.slots[t][i]);
        }
    }
    HAK_EXPECT_GT(held, SLOTS);
    HAK_EXPECT_EQ(all_after.count, census_live_blocks());
    /* What else is live was so before, or was made by starting threads; nothing of it is the test's. */
    HAK_EXPECT_GE(all_after.count, held);
    HAK_EXPECT_LE(all_after.count - held, all_before.count + 4 * THREADS);
    pthread_barrier_wait(&crowd.walked);
    threads_join(&threads);
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < SLOTS; i++) hak_free(crowd.slots[t][i]);
    }
    walk(&all_after);
    HAK_EXPECT_EQ(all_after.count, census_live_blocks());
    pthread_barrier_destroy(&crowd.done);
    pthread_barrier_destroy(&crowd.walked);
}

HAK_TEST(Walk, BlocksInMagazinesAreFree) {
    void *blocks[60];
    for (unsigned i = 0; i < 60; i++) blocks[i] = hak_alloc(48);
    for (unsigned i = 0; i < 60; i += 2) hak_free(blocks[i]);
    walk(&all_after);
    for (unsigned i = 0; i < 60; i++) HAK_EXPECT_EQ(find(&all_after, blocks[i]) != NULL, i % 2 == 1);
    for (unsigned i = 1; i < 60; i += 2) hak_free(blocks[i]);
}

/* More than two magazines hold: some wait in the stash. */
HAK_TEST(Walk, BlocksInStashedMagazinesAreFree) {
    static void *blocks[1500];
    const unsigned class_index = census_class_of_size(48);
    /* A class gets a stash when it is exchanged often. */
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 1500; i++) blocks[i] = hak_alloc(48);
        for (unsigned i = 0; i < (round < 99 ? 1500 : 400); i++) hak_free(blocks[i]);
    }
    HAK_EXPECT_GT(census_class(class_index).cached_blocks, 2 * 128);
    walk(&all_after);
    HAK_EXPECT_EQ(all_after.count, census_live_blocks());
    for (unsigned i = 0; i < 1500; i++) HAK_EXPECT_EQ(find(&all_after, blocks[i]) != NULL, i >= 400);
    for (unsigned i = 400; i < 1500; i++) hak_free(blocks[i]);
}

/* However many magazines the stash has, from none on. */
HAK_TEST(Walk, CountsWhatLivesWhateverTheStashHas) {
    enum { BLOCKS = 1500, STEP = 60 };
    static void *blocks[BLOCKS];
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(48);
        for (unsigned i = 0; round < 99 && i < BLOCKS; i++) hak_free(blocks[i]);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
        if (i % STEP != 0) continue;
        walk(&all_after);
        HAK_EXPECT_EQ(all_after.count, census_live_blocks());
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(48);
        if (i % STEP != 0) continue;
        walk(&all_after);
        HAK_EXPECT_EQ(all_after.count, census_live_blocks());
    }
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}

#define BURST 1000 /* more than two magazines hold */
#define WALKS 50

static bool churns_on; /* atomic */

/* Fills and empties magazines, and the stash behind them, until the walks are over. */
static void burst(void *argument, unsigned index) {
    void **blocks = (void **)argument + index * BURST;
    uint64_t random = 99 + index;
    /* Relaxed: the flag orders nothing. */
    while (__atomic_load_n(&churns_on, __ATOMIC_RELAXED)) {
        const size_t size = census_sizes[(random_xorshift64(&random) >> 32) % CENSUS_SIZE_COUNT];
        for (unsigned i = 0; i < BURST; i++) blocks[i] = hak_alloc(48);
        for (unsigned i = 0; i < BURST; i++) hak_free(blocks[i]);
        hak_free(hak_alloc(size));
    }
}

struct wanted {
    const void *start;
    unsigned found;
};

static bool look_for(const struct hak_walk_block *block, void *argument) {
    struct wanted *wanted = (struct wanted *)argument;
    wanted->found += block->start == wanted->start;
    return true;
}

HAK_TEST(Walk, FindsABlockThatStaysBesideThreadsThatGoOn) {
    static void *blocks[THREADS * BURST];
    struct threads threads;
    void *stays = hak_alloc(48);
    __atomic_store_n(&churns_on, true, __ATOMIC_RELAXED);
    threads_start(&threads, THREADS, burst, blocks);
    for (unsigned i = 0; i < WALKS; i++) {
        struct wanted wanted = {.start = stays};
        struct hak_walk_result result;
        HAK_EXPECT_EQ(hak_walk(look_for, &wanted, &result), 0);
        HAK_EXPECT_EQ(wanted.found, 1);
        HAK_EXPECT_GE(result.blocks, 1);
    }
    __atomic_store_n(&churns_on, false, __ATOMIC_RELAXED);
    threads_join(&threads);
    hak_free(stays);
}

struct limited {
    unsigned calls, limit;
};

static bool stop_at_limit(const struct hak_walk_block *block, void *argument) {
    struct limited *limited = (struct limited *)argument;
    (void)block;
    return ++limited->calls < limited->limit;
}

HAK_TEST(Walk, EndsWhereTheCallbackSaysSo) {
    void *blocks[10];
    for (unsigned i = 0; i < 10; i++) blocks[i] = hak_alloc(100);
    struct limited limited = {0, 3};
    struct hak_walk_result result;
    HAK_EXPECT_EQ(hak_walk(stop_at_limit, &limited, &result), 0);
    HAK_EXPECT_EQ(limited.calls, 3);
    HAK_EXPECT_EQ(result.blocks, 3);
    limited.calls = 0;
    HAK_EXPECT_EQ(hak_walk(stop_at_limit, &limited, NULL), 0);
    HAK_EXPECT_EQ(limited.calls, 3);
    for (unsigned i = 0; i < 10; i++) hak_free(blocks[i]);
}

#define MARKED 321 /* bytes: a class that little else uses */

/* Frees each marked block, and makes and frees others meanwhile; walks within. */
static bool free_marked(const struct hak_walk_block *block, void *argument) {
    uint64_t *freed = (uint64_t *)argument;
    hak_free(hak_alloc(block->size));
    if (*(uint64_t *)block->start == 0x5eedf00d5eedf00d && block->size >= MARKED && block->size < 2 * MARKED) {
        struct limited limited = {0, 1};
        HAK_EXPECT_EQ(hak_walk(stop_at_limit, &limited, NULL), 0);
        *(uint64_t *)block->start = 0;
        hak_free(block->start);
        ++*freed;
    }
    return true;
}

HAK_TEST(Walk, CallbackMayAllocateFreeAndWalk) {
    const uint64_t live = census_live_blocks();
    for (unsigned i = 0; i < 500; i++) {
        uint64_t *block = (uint64_t *)hak_alloc(MARKED);
        HAK_EXPECT(block != NULL);
        *block = 0x5eedf00d5eedf00d;
    }
    uint64_t freed = 0;
    HAK_EXPECT_EQ(hak_walk(free_marked, &freed, NULL), 0);
    HAK_EXPECT_EQ(freed, 500);
    HAK_EXPECT_EQ(census_live_blocks(), live);
}

/* Of each class some blocks stay, first, last or all: a block that was freed waits wherever the build has it wait, and is not found. */
HAK_TEST_ISOLATED(Walk, FindsOfEachClassWhatStays, "HAKMEM_PURGE_DELAY_MS=-1") {
    enum { BLOCKS = 12, PATTERNS = 4 };
    static void *blocks[BLOCKS];
    static const unsigned stays[PATTERNS] = {0, 0xfff, 0x001, 0xa51};
    struct hak_class_stats of_class;
    for (unsigned c = 1; c < hak_class_count(); c++) {
        HAK_ASSERT_TRUE(hak_class_get_stats(c, &of_class));
        const size_t size = of_class.block_size > 64 ? of_class.block_size - 16 : of_class.block_size;
        for (unsigned pattern = 0; pattern < PATTERNS; pattern++) {
            for (unsigned i = 0; i < BLOCKS; i++) HAK_ASSERT_TRUE((blocks[i] = hak_alloc(size)) != NULL);
            for (unsigned i = 0; i < BLOCKS; i++) {
                if ((stays[pattern] >> i & 1) == 0) hak_free(blocks[i]);
            }
            walk(&all_after);
            for (unsigned i = 0; i < BLOCKS; i++) {
                HAK_EXPECT_EQ(find(&all_after, blocks[i]) != NULL, stays[pattern] >> i & 1);
            }
            HAK_EXPECT_EQ(all_after.count, census_live_blocks());
            for (unsigned i = 0; i < BLOCKS; i++) {
                if ((stays[pattern] >> i & 1) != 0) hak_free(blocks[i]);
            }
        }
    }
}

/* Every block is sampled at rate 1: small ones, large ones, huge ones. */
HAK_TEST_ISOLATED(Walk, SaysWhereSampledBlocksWereMade, "HAKMEM_PROFILE_RATE=1") {
    static const char site[] = "here";
    static void *blocks[CENSUS_SIZE_COUNT];
    const int error = hak_profile_start(1);
    if (error == ENOTSUP) HAK_SKIP("the full guard build has no profile");
    HAK_EXPECT_EQ(error, 0);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) blocks[i] = hak_alloc_at(census_sizes[i], site);
    walk(&all_after);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        const struct hak_walk_block *block = find(&all_after, blocks[i]);
        HAK_EXPECT(block != NULL && block->site == site);
        hak_free(blocks[i]);
    }
    hak_profile_stop();
    walk(&all_after);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) HAK_EXPECT(find(&all_after, blocks[i]) == NULL);
}
