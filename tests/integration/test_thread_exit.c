/* SPDX-License-Identifier: MIT */
/* Threads end: what they leave, what their last destructors do, and that nothing piles up. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"
#include "tests/harness/threads.h"

#define MIB ((size_t)1 << 20)

#define LEAVERS 4

static void *left[LEAVERS][CENSUS_SIZE_COUNT];

static void leave_one_of_each_size(void *argument, unsigned index) {
    (void)argument;
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        left[index][i] = hak_alloc(census_sizes[i]);
        HAK_ASSERT_TRUE(left[index][i] != NULL);
        pattern_mark_pages(left[index][i], census_sizes[i], i);
    }
}

HAK_TEST(ThreadExit, BlocksOutliveTheirThread) {
    uint64_t live = census_live_blocks();
    threads_run(1, leave_one_of_each_size, NULL);
    HAK_EXPECT_EQ(census_live_blocks(), live + CENSUS_SIZE_COUNT);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        HAK_EXPECT(pattern_pages_hold(left[0][i], census_sizes[i], i));
        struct hak_owner_info info;
        HAK_ASSERT_TRUE(hak_owner(left[0][i], &info));
        HAK_EXPECT_NE(info.state, HAK_SLAB_OWNED);
        HAK_EXPECT_EQ(info.thread, 0);
        hak_free(left[0][i]);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST_ISOLATED(ThreadExit, LeavesNoSlabAndNothingCached, "") {
    threads_run(LEAVERS, leave_one_of_each_size, NULL);
    uint64_t slabs = census_slabs();
    struct hak_stats stats = census_all();
    HAK_EXPECT_EQ(stats.tiny.cached_blocks + stats.l2.cached_blocks + stats.l25.cached_blocks, 0);
    HAK_EXPECT_EQ(stats.magazine_bytes, 0);
    threads_run(LEAVERS, leave_one_of_each_size, NULL);
    /* The blocks of the first are lost on purpose; the second take over what these left room in. */
    HAK_EXPECT_LE(census_slabs(), 2 * slabs);
}

/* ---- Destructors of thread-specific data ---- */

#define KEYS 3

struct last_words {
    pthread_key_t keys[KEYS];
    void *to_free[KEYS][CENSUS_SIZE_COUNT];
    void *to_keep[KEYS][CENSUS_SIZE_COUNT];
    unsigned rounds[KEYS];
};

static struct last_words last_words;

/* Runs in each of the rounds in which the system calls destructors: before and after the allocator's own. */
static void free_and_allocate(void *value) {
    unsigned k = (unsigned)((char *)value - (char *)&last_words);
    unsigned round = last_words.rounds[k]++;
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        if (i % THREADS_DESTRUCTOR_ROUNDS != round) continue;
        hak_free(last_words.to_free[k][i]);
        last_words.to_keep[k][i] = hak_alloc(census_sizes[i]);
        HAK_ASSERT_TRUE(last_words.to_keep[k][i] != NULL);
        pattern_mark_pages(last_words.to_keep[k][i], census_sizes[i], k);
        void *moved = hak_realloc(hak_calloc(1, census_sizes[i]), census_sizes[i] / 2 + 1);
        HAK_EXPECT(moved != NULL);
        hak_free(moved);
    }
    if (round + 1 < THREADS_DESTRUCTOR_ROUNDS) pthread_setspecific(last_words.keys[k], value);
}

static void end_with_destructors(void *argument, unsigned index) {
    (void)index;
    for (unsigned k = 0; k < KEYS; k++) {
        for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) last_words.to_free[k][i] = hak_alloc(census_sizes[i]);
        pthread_setspecific(last_words.keys[k], (char *)argument + k);
    }
}

HAK_TEST(ThreadExit, DestructorsMayFreeAndAllocate) {
    memset(&last_words, 0, sizeof last_words);
    for (unsigned k = 0; k < KEYS; k++) HAK_EXPECT_EQ(pthread_key_create(&last_words.keys[k], free_and_allocate), 0);
    uint64_t live = census_live_blocks();
    threads_run(1, end_with_destructors, &last_words);
    HAK_EXPECT_EQ(census_live_blocks(), live + KEYS * CENSUS_SIZE_COUNT);
    CENSUS_EXPECT_CONSISTENT();
    for (unsigned k = 0; k < KEYS; k++) {
        HAK_EXPECT_EQ(last_words.rounds[k], THREADS_DESTRUCTOR_ROUNDS);
        for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
            HAK_EXPECT(pattern_pages_hold(last_words.to_keep[k][i], census_sizes[i], k));
            hak_free(last_words.to_keep[k][i]);
        }
        pthread_key_delete(last_words.keys[k]);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- Many short threads ---- */

#define SHORT_THREADS HAK_TEST_SCALE(1000)
#define KEPT 3

static void *kept[1000 * KEPT];

static void live_shortly(void *argument, unsigned index) {
    unsigned number = *(unsigned *)argument;
    uint64_t random = 1000 + number;
    void *blocks[100];
    (void)index;
    for (unsigned i = 0; i < 100; i++) blocks[i] = hak_alloc(random_xorshift64(&random) % 2000);
    for (unsigned i = KEPT; i < 100; i++) hak_free(blocks[i]);
    memcpy(&kept[number * KEPT], blocks, KEPT * sizeof *blocks);
}

HAK_TEST_ISOLATED(ThreadExit, ShortThreadsDoNotPileUpMemory, "") {
    unsigned number = 0;
    for (; number < 20; number++) threads_run(1, live_shortly, &number);
    struct hak_stats few = census_all();
    size_t resident = system_resident_bytes();
    for (; number < SHORT_THREADS; number++) threads_run(1, live_shortly, &number);
    struct hak_stats many = census_all();
    uint64_t live_bytes = many.tiny.live_bytes + many.l2.live_bytes;
    /* A block that stays keeps its page, and its neighbours there, from going back. */
    HAK_EXPECT_LE(system_resident_bytes(), resident + live_bytes + 8 * MIB);
    /* With guard the shadow is a sixteenth of what slabs hold. */
    uint64_t in_slabs = live_bytes + many.slab_free_bytes + many.magazine_bytes + many.decaying_bytes;
    HAK_EXPECT_LE(many.metadata_bytes, few.metadata_bytes + MIB / 4 + in_slabs / 16);
    HAK_EXPECT_EQ(census_live_blocks(), number * KEPT);
    for (unsigned i = 0; i < number * KEPT; i++) hak_free(kept[i]);
    HAK_EXPECT_EQ(census_live_blocks(), 0);
    CENSUS_EXPECT_CONSISTENT();
}

static void allocate_and_end(void *argument, unsigned index) {
    (void)argument;
    for (unsigned i = 0; i < 200; i++) hak_free(hak_alloc(1 + (i * 37 + index) % 3000));
}

HAK_TEST(ThreadExit, ManyThreadsEndAtOnce) {
    uint64_t live = census_live_blocks();
    for (unsigned round = 0; round < (unsigned)HAK_TEST_SCALE(20); round++) threads_run(32, allocate_and_end, NULL);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}
