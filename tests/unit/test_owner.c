/* SPDX-License-Identifier: MIT */
/* hak_owner: what an address belongs to, in every pool, from any thread. */
#include <stdint.h>
#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

static enum hak_pool pool_of(size_t size) {
    if (size <= HAK_TINY_MAX) return HAK_POOL_TINY;
    if (size <= HAK_L2_MAX) return HAK_POOL_L2;
    return size <= HAK_L25_MAX ? HAK_POOL_L25 : HAK_POOL_HUGE;
}

HAK_TEST(Owner, KnowsBlockPoolAndClass) {
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        size_t size = census_sizes[i];
        void *p = hak_alloc(size);
        struct hak_owner_info info;
        HAK_ASSERT_TRUE(hak_owner(p, &info));
        HAK_EXPECT_PTR_EQ(info.block, p);
        HAK_EXPECT_EQ(info.block_size, hak_usable_size(p));
        HAK_EXPECT_EQ(info.pool, pool_of(size));
        if (info.pool == HAK_POOL_HUGE) {
            HAK_EXPECT_EQ(info.class_index, 0);
            HAK_EXPECT_EQ(info.state, HAK_SLAB_NONE);
        } else {
            HAK_EXPECT_EQ(census_class(info.class_index).block_size, info.block_size);
            HAK_EXPECT_NE(info.state, HAK_SLAB_NONE);
        }
        hak_free(p);
    }
}

HAK_TEST(Owner, FindsTheBlockOfAnyAddressInIt) {
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        char *p = (char *)hak_alloc(census_sizes[i]);
        size_t usable = hak_usable_size(p);
        const size_t offsets[] = {1, usable / 3, usable / 2, usable - 1};
        for (size_t k = 0; k < sizeof offsets / sizeof *offsets; k++) {
            struct hak_owner_info info;
            HAK_ASSERT_TRUE(hak_owner(p + offsets[k], &info));
            HAK_EXPECT_PTR_EQ(info.block, p);
            HAK_EXPECT_EQ(info.block_size, usable);
        }
        hak_free(p);
    }
}

HAK_TEST(Owner, FreshSlabBelongsToTheThreadThatAllocates) {
    enum { BLOCKS = 3000 }; /* more than a thread can have cached */
    static void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(64);
    struct hak_owner_info info;
    HAK_ASSERT_TRUE(hak_owner(blocks[BLOCKS - 1], &info));
    HAK_EXPECT_EQ(info.state, HAK_SLAB_OWNED);
    HAK_EXPECT_GE(info.thread, 1);
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}

struct owned {
    struct hak_owner_info info[2];
    pthread_barrier_t asked; /* both threads live until both have asked: an ended one's number is used again */
};

static void allocate_and_ask(void *argument, unsigned index) {
    struct owned *owned = (struct owned *)argument;
    void *p = hak_alloc(512);
    HAK_EXPECT(hak_owner(p, &owned->info[index]));
    pthread_barrier_wait(&owned->asked);
    hak_free(p);
}

HAK_TEST(Owner, ThreadsHaveDifferentNumbers) {
    struct owned owned;
    memset(owned.info, 0, sizeof owned.info);
    pthread_barrier_init(&owned.asked, NULL, 2);
    threads_run(2, allocate_and_ask, &owned);
    pthread_barrier_destroy(&owned.asked);
    HAK_EXPECT_EQ(owned.info[0].state, HAK_SLAB_OWNED);
    HAK_EXPECT_EQ(owned.info[1].state, HAK_SLAB_OWNED);
    HAK_EXPECT_NE(owned.info[0].thread, 0);
    HAK_EXPECT_NE(owned.info[1].thread, 0);
    HAK_EXPECT_NE(owned.info[0].thread, owned.info[1].thread);
}

HAK_TEST(Owner, NobodyOwnsASlabAfterAFlush) {
    void *p = hak_alloc(256);
    hak_thread_flush();
    struct hak_owner_info info;
    HAK_ASSERT_TRUE(hak_owner(p, &info));
    HAK_EXPECT_NE(info.state, HAK_SLAB_OWNED);
    HAK_EXPECT_EQ(info.thread, 0);
    hak_free(p);
}

HAK_TEST(Owner, ForeignAddressesAreNotOurs) {
    int local = 0;
    static int global;
    const void *const foreign[] = {
        NULL,
        &local,
        &global,
        "a string",
        (void *)(uintptr_t)1,
        (void *)(UINTPTR_MAX - 7),
        (void *)((uintptr_t)1 << 47),
        (void *)((uintptr_t)1 << 62),
    };
    struct hak_owner_info info;
    memset(&info, 0xA5, sizeof info);
    const struct hak_owner_info untouched = info;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) HAK_EXPECT(!hak_owner(foreign[i], &info));
    HAK_EXPECT_EQ(memcmp(&info, &untouched, sizeof info), 0);
}
