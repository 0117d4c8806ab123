/* SPDX-License-Identifier: MIT */
/* Blocks freed by another thread than the one whose slab they lie in. */
#include <sched.h>
#include <stdint.h>

#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"
#include "tests/harness/threads.h"

#define BLOCKS 12000

/* One size a pool, with so many blocks that they fill several slabs. */
static const struct {
    size_t size;
    unsigned count;
} loads[] = {{64, 4000}, {1000, 300}, {6000, 100}, {200000, 12}, {2 << 20, 4}};
#define LOADS (sizeof loads / sizeof *loads)

struct handed {
    void *blocks[BLOCKS];
    unsigned count;
    unsigned threads; /* that free the blocks, each every threads-th */
};

static struct handed handed;

static void allocate(size_t size, unsigned count) {
    handed.count = count;
    for (unsigned i = 0; i < count; i++) {
        handed.blocks[i] = hak_alloc(size);
        HAK_ASSERT_TRUE(handed.blocks[i] != NULL);
        pattern_mark_pages(handed.blocks[i], size, i);
    }
}

static void free_share(void *argument, unsigned index) {
    struct handed *all = (struct handed *)argument;
    for (unsigned i = index; i < all->count; i += all->threads) hak_free(all->blocks[i]);
}

static void free_in_threads(unsigned threads) {
    handed.threads = threads;
    threads_run(threads, free_share, &handed);
}

HAK_TEST(RemoteFree, CountsAreExact) {
    for (unsigned k = 0; k < LOADS; k++) {
        uint64_t live = census_live_blocks(), allocations = census_allocations(), frees = census_frees();
        allocate(loads[k].size, loads[k].count);
        free_in_threads(1);
        HAK_EXPECT_EQ(census_live_blocks(), live);
        CENSUS_EXPECT_ALLOCATIONS(allocations, census_allocations(), loads[k].count);
        CENSUS_EXPECT_ALLOCATIONS(frees, census_frees(), loads[k].count);
    }
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(RemoteFree, AreCountedAsRemote) {
    uint64_t before = census_all().remote_frees;
    allocate(64, 4000);
    free_in_threads(1);
    HAK_EXPECT_GE(census_all().remote_frees, before + 4000);
    before = census_all().remote_frees;
    for (unsigned i = 0; i < 1000; i++) hak_free(hak_alloc(64));
    hak_thread_flush();
    HAK_EXPECT_EQ(census_all().remote_frees, before);
}

HAK_TEST(RemoteFree, BlocksComeBackToTheOwner) {
    for (unsigned k = 0; k < LOADS - 1; k++) {
        unsigned c = census_class_of_size(loads[k].size);
        allocate(loads[k].size, loads[k].count);
        uint64_t slabs = census_class(c).slabs;
        for (unsigned round = 0; round < 5; round++) {
            free_in_threads(1);
            allocate(loads[k].size, loads[k].count);
            /* One slab may be split between what is cached and what is not. */
            HAK_EXPECT_LE(census_class(c).slabs, slabs + 2);
        }
        free_in_threads(1);
    }
}

HAK_TEST_ISOLATED(RemoteFree, RemoteFreeOfLastBlockEmptiesSlab, "") {
    for (unsigned k = 0; k < LOADS - 1; k++) {
        unsigned c = census_class_of_size(loads[k].size);
        hak_thread_flush();
        HAK_EXPECT_EQ(census_class(c).slabs, 0);
        allocate(loads[k].size, loads[k].count);
        hak_thread_flush();
        HAK_EXPECT_GT(census_class(c).slabs, 1);
        free_in_threads(1);
        HAK_EXPECT_EQ(census_class(c).slabs, 0);
        HAK_EXPECT_EQ(census_class(c).live_blocks, 0);
    }
}

HAK_TEST_ISOLATED(RemoteFree, MemoryOfEmptiedSlabsGoesBackToTheSystem, "HAKMEM_PURGE_DELAY_MS=-1") {
    enum { MIB = 1 << 20 };
    size_t before = system_resident_bytes();
    allocate(8000, 8000);
    HAK_EXPECT_GE(system_resident_bytes(), before + 40 * MIB);
    free_in_threads(4);
    HAK_EXPECT_GE(hak_trim(), 40 * MIB);
#if !defined(HAK_TEST_TSAN) && !defined(HAK_TEST_ASAN) /* the sanitizer's shadow stays */
    HAK_EXPECT_LT(system_resident_bytes(), before + 10 * MIB);
#endif
    HAK_EXPECT_EQ(census_all().decaying_bytes, 0);
}

HAK_TEST(RemoteFree, ManyThreadsFreeTheSameSlabs) {
    uint64_t live = census_live_blocks();
    for (unsigned k = 0; k < LOADS; k++) {
        allocate(loads[k].size, loads[k].count);
        free_in_threads(8);
        HAK_EXPECT_EQ(census_live_blocks(), live);
    }
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- One thread only allocates, the other only frees ---- */

#define RING 512
#define PASSED HAK_TEST_SCALE(200000)

struct ring {
    void *slots[RING]; /* atomic; NULL: empty */
    size_t size;
};

static void produce_or_consume(void *argument, unsigned index) {
    struct ring *ring = (struct ring *)argument;
    for (unsigned i = 0; i < PASSED; i++) {
        void **slot = &ring->slots[i % RING];
        if (index == 0) {
            void *p = hak_alloc(ring->size);
            HAK_ASSERT_TRUE(p != NULL);
            *(uint64_t *)p = i;
            /* The block's content goes with the pointer. */
            while (__atomic_load_n(slot, __ATOMIC_ACQUIRE) != NULL) sched_yield();
            __atomic_store_n(slot, p, __ATOMIC_RELEASE);
        } else {
            void *p;
            while ((p = __atomic_load_n(slot, __ATOMIC_ACQUIRE)) == NULL) sched_yield();
            __atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
            HAK_EXPECT_EQ(*(uint64_t *)p, i);
            hak_free(p);
        }
    }
}

HAK_TEST(RemoteFree, SlabsOfAProducerDoNotGrow) {
    static struct ring ring;
    const size_t sizes[] = {32, 700, 3000};
    uint64_t live = census_live_blocks();
    for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        unsigned c = census_class_of_size(sizes[k]);
        struct hak_class_stats before = census_class(c);
        ring.size = sizes[k];
        threads_run(2, produce_or_consume, &ring);
        struct hak_class_stats after = census_class(c);
        /* 512 blocks are on their way and both threads' magazines hold some: 4 MiB where a block has 4 KiB. */
        HAK_EXPECT_LE(after.slabs, before.slabs + 64);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}
