/* SPDX-License-Identifier: MIT */
/* A thread whose destructor the C library has no memory for: it is served without a record, which would never be taken back. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/magazine/record.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/sample/profile.h"
#include "hakmem/slab/moving.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define SIZE 64
#define LARGE 500000

static _Thread_local bool is_refused;

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value) {
    return is_refused ? ENOMEM : __real_pthread_setspecific(key, value);
}

static void *block;

static void allocate_refused(void *unused, unsigned index) {
    (void)unused, (void)index;
    is_refused = true;
    errno = EDOM;
    block = hak_alloc(SIZE);
    HAK_ASSERT_TRUE(block != NULL);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_PTR_EQ((void *)hak_self, NULL);
    memset(block, 1, SIZE);
    hak_free(hak_alloc(SIZE));
    HAK_EXPECT_PTR_EQ((void *)hak_self, NULL);
}

static void allocate_served(void *record, unsigned index) {
    (void)index;
    hak_free(hak_alloc(SIZE));
    *(void **)record = hak_self;
}

HAK_TEST(ThreadRefused, IsServedWithoutARecordWhichTheNextThreadHas) {
    void *first = NULL, *next = NULL;
    hak_free(hak_alloc(SIZE));
    threads_run(1, allocate_served, &first);
    const struct hak_stats before = census_all();
    const uint64_t live = census_live_blocks();
    threads_run(1, allocate_refused, NULL);
    HAK_EXPECT_EQ(census_all().threads, before.threads);
    HAK_EXPECT_EQ(census_live_blocks(), live + 1);
    threads_run(1, allocate_served, &next);
    HAK_EXPECT_PTR_EQ(next, first);
    HAK_EXPECT_EQ(((unsigned char *)block)[SIZE - 1], 1);
    hak_free(block);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

static void *sampled[2]; /* one in a slab of samples, one in a slab of its own */

static void allocate_refused_and_sampled(void *unused, unsigned index) {
    (void)unused, (void)index;
    is_refused = true;
    sampled[0] = hak_alloc(SIZE);
    sampled[1] = hak_alloc(LARGE);
    HAK_EXPECT_PTR_EQ((void *)hak_self, NULL);
}

struct seen {
    const void *site;
    uint64_t live, threads;
};

static void see(const struct hak_profile_entry *entry, void *argument) {
    struct seen *seen = argument;
    if (entry->site == seen->site) {
        seen->live += entry->live;
        seen->threads += entry->thread;
    }
}

HAK_TEST(ThreadRefused, IsSampledAsNobody) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    threads_run(1, allocate_refused_and_sampled, NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct seen seen = {.site = hak_profile_site_of(sampled[i])};
        HAK_ASSERT_TRUE(seen.site != NULL);
        (void)hak_profile_read(see, &seen);
        HAK_EXPECT_EQ(seen.live, 1);
        HAK_EXPECT_EQ(seen.threads, 0);
        hak_free(sampled[i]);
        seen.live = 0;
        (void)hak_profile_read(see, &seen);
        HAK_EXPECT_EQ(seen.live, 0);
    }
    hak_profile_stop();
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- What threads without a record share ---- */

#define CLASS HAK_L2_CLASS_FIRST
#define ALL (hak_classes[CLASS].blocks)

static void *shared[256];

static void take_shared(uint32_t from, uint32_t count, const struct slab *slab) {
    for (uint32_t i = from; i < from + count; i++) {
        shared[i] = hak_shared_alloc(CLASS);
        if (slab != NULL) HAK_EXPECT_PTR_EQ(slab_of(shared[i]), slab);
    }
}

/* One slab at a time: as long as it has blocks, what was freed of it too; then one that has some before a new one. */
HAK_TEST_ISOLATED(ThreadRefused, OneSlabServesAllUntilItHasNothing, "HAKMEM_PURGE_DELAY_MS=-1") {
    uint64_t made, freed;
    hak_free(hak_alloc(SIZE));
    HAK_ASSERT_TRUE(3 * ALL <= sizeof shared / sizeof *shared && ALL >= 16);
    take_shared(0, 1, NULL);
    struct slab *const first = slab_of(shared[0]);
    HAK_EXPECT_EQ(first->owner, THREAD_NUMBER_SHARED);
    take_shared(1, ALL - 1, first);
    for (uint32_t count = 1; count < 3; count++) {
        for (uint32_t i = 0; i < count; i++) hak_shared_free(CLASS, shared[i]);
        take_shared(0, count, first);
    }
    take_shared(ALL, 1, NULL);
    struct slab *const second = slab_of(shared[ALL]);
    HAK_EXPECT(second != first);
    HAK_EXPECT_EQ(hak_slab_state_of(first), SLAB_FULL);
    HAK_EXPECT_EQ(hak_slab_state_of(second), SLAB_OWNED);
    /* The first is not looked at while the second has blocks. */
    for (uint32_t i = 0; i < ALL / 2; i++) hak_shared_free(CLASS, shared[i]);
    HAK_EXPECT_EQ(hak_slab_state_of(first), SLAB_PARTIAL);
    take_shared(ALL + 1, ALL - 1, second);
    take_shared(0, ALL / 2, first);
    HAK_EXPECT_EQ(hak_slab_state_of(second), SLAB_FULL);
    hak_shared_class_totals(CLASS, &made, &freed);
    HAK_EXPECT_EQ(made, 2 * ALL + 3 + ALL / 2); /* 1 and 2 of them again */
    HAK_EXPECT_EQ(freed, 3 + ALL / 2);
    hak_shared_count(CLASS, 5, 7);
    hak_shared_class_totals(CLASS, &made, &freed);
    HAK_EXPECT_EQ(made, 2 * ALL + 8 + ALL / 2);
    HAK_EXPECT_EQ(freed, 10 + ALL / 2);
    /* When they are given up each goes where its free blocks say, those that were not drained yet too. */
    for (uint32_t i = 0; i < ALL; i++) hak_shared_free(CLASS, shared[i]);
    HAK_EXPECT_EQ(hak_slab_state_of(first), SLAB_OWNED);
    hak_shared_flush();
    HAK_EXPECT_EQ(hak_slab_state_of(first), SLAB_EMPTY);
    hak_shared_flush();
    for (uint32_t i = ALL; i < 2 * ALL; i++) hak_shared_free(CLASS, shared[i]);
    HAK_EXPECT_EQ(hak_slab_state_of(second), SLAB_EMPTY);
}

/* A reader sees that each of these calls began and that it is over; and all classes are given up. */
HAK_TEST_ISOLATED(ThreadRefused, WhatIsSharedMovesInSightOfReaders, "HAKMEM_PURGE_DELAY_MS=-1") {
    uint64_t before, begun;
    void *blocks[HAK_CLASS_COUNT];
    hak_free(hak_alloc(SIZE));
    HAK_EXPECT(hak_moving_look(&before));
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        blocks[c] = hak_shared_alloc(c);
        HAK_EXPECT(hak_moving_look(&begun) && begun == ++before);
        HAK_EXPECT_EQ(hak_slab_state_of(slab_of(blocks[c])), SLAB_OWNED);
    }
    hak_shared_flush();
    HAK_EXPECT(hak_moving_look(&begun) && begun == ++before);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        HAK_EXPECT_NE(hak_slab_state_of(slab_of(blocks[c])), SLAB_OWNED);
        hak_shared_free(c, blocks[c]);
        HAK_EXPECT(hak_moving_look(&begun) && begun == ++before);
    }
}

/* ---- The key whose destructor ends a thread ---- */

#define KEYS 32u /* whose values lie in a thread's own storage, in every glibc */

/* It is the last of those, and takes none of the others from the program; some may be the C library's or the tests'. */
HAK_TEST_ISOLATED(ThreadRefused, TheKeyIsTheLastOfThoseThatTakeNoMemory, "") {
    bool is_free[2 * KEYS] = {false};
    unsigned before = 0;
    pthread_key_t key;
    hak_free(hak_alloc(SIZE));
    HAK_EXPECT(pthread_getspecific(KEYS - 1) != NULL);
    for (unsigned i = 0; i < 2 * KEYS - 4; i++) {
        HAK_ASSERT_TRUE(pthread_key_create(&key, NULL) == 0);
        if (key < 2 * KEYS) is_free[key] = true;
    }
    HAK_EXPECT(!is_free[KEYS - 1]);
    HAK_EXPECT(is_free[KEYS]);
    for (unsigned i = 0; i < KEYS - 1; i++) before += is_free[i];
    HAK_EXPECT_GE(before, KEYS - 1 - 4);
}
