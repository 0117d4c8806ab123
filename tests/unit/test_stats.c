/* SPDX-License-Identifier: MIT */
/* Statistics: the sums, the pools, the sites, and a reader beside running threads. */
#include <sched.h>
#include <stdint.h>
#include <unistd.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/system.h"
#include "tests/harness/threads.h"

#define SLOTS 200
#define ROUNDS HAK_TEST_SCALE(20000)

/* Replaces blocks at random; frees all where keep is false. Returns how many it allocated. */
static uint64_t churn(void **slots, uint64_t seed, bool keep) {
    uint64_t random = seed, allocated = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t value = random_xorshift64(&random);
        void **slot = &slots[value % SLOTS];
        hak_free(*slot);
        *slot = hak_alloc(census_sizes[(value >> 32) % (CENSUS_SIZE_COUNT - 5)]);
        HAK_EXPECT(*slot != NULL);
        allocated++;
    }
    for (unsigned i = 0; !keep && i < SLOTS; i++) {
        hak_free(slots[i]);
        slots[i] = NULL;
    }
    return allocated;
}

static uint64_t count_of(void *const *slots) {
    uint64_t count = 0;
    for (unsigned i = 0; i < SLOTS; i++) count += slots[i] != NULL;
    return count;
}

HAK_TEST(Stats, AllocationsMinusFreesAreTheLiveBlocksOfOneThread) {
    static void *slots[SLOTS];
    uint64_t live = census_live_blocks(), before = census_allocations();
    uint64_t made = churn(slots, 7, true);
    HAK_EXPECT_EQ(census_live_blocks(), live + count_of(slots));
    CENSUS_EXPECT_ALLOCATIONS(before, census_allocations(), made);
    HAK_EXPECT_EQ(census_allocations() - census_frees(), census_live_blocks());
    CENSUS_EXPECT_CONSISTENT();
    churn(slots, 8, false);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

#define THREADS 8

struct crowd {
    void *slots[THREADS][SLOTS];
    uint64_t made[THREADS];
};

static void churn_in_thread(void *argument, unsigned index) {
    struct crowd *crowd = (struct crowd *)argument;
    crowd->made[index] = churn(crowd->slots[index], 100 + index, true);
}

HAK_TEST(Stats, AllocationsMinusFreesAreTheLiveBlocksOfEightThreads) {
    static struct crowd crowd;
    uint64_t live = census_live_blocks(), before = census_allocations(), made = 0, kept = 0;
    threads_run(THREADS, churn_in_thread, &crowd);
    for (unsigned t = 0; t < THREADS; t++) {
        made += crowd.made[t];
        kept += count_of(crowd.slots[t]);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live + kept);
    CENSUS_EXPECT_ALLOCATIONS(before, census_allocations(), made);
    CENSUS_EXPECT_CONSISTENT();
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < SLOTS; i++) hak_free(crowd.slots[t][i]);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

/* The counts of threads that still run are read from their magazines. */
struct waiting {
    pthread_barrier_t allocated, read;
};

static void allocate_and_wait(void *argument, unsigned index) {
    struct waiting *waiting = (struct waiting *)argument;
    void *blocks[100];
    for (unsigned i = 0; i < 100; i++) blocks[i] = hak_alloc(48 + index);
    pthread_barrier_wait(&waiting->allocated);
    pthread_barrier_wait(&waiting->read);
    for (unsigned i = 0; i < 100; i++) hak_free(blocks[i]);
}

HAK_TEST(Stats, CountsOfRunningThreadsAreExact) {
    struct waiting waiting;
    pthread_barrier_init(&waiting.allocated, NULL, 5);
    pthread_barrier_init(&waiting.read, NULL, 5);
    uint64_t live = census_live_blocks(), before = census_allocations();
    struct threads threads;
    threads_start(&threads, 4, allocate_and_wait, &waiting);
    pthread_barrier_wait(&waiting.allocated);
    HAK_EXPECT_EQ(census_live_blocks(), live + 400);
    CENSUS_EXPECT_ALLOCATIONS(before, census_allocations(), 400);
    CENSUS_EXPECT_CONSISTENT();
    pthread_barrier_wait(&waiting.read);
    threads_join(&threads);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    pthread_barrier_destroy(&waiting.allocated);
    pthread_barrier_destroy(&waiting.read);
}

struct watched {
    struct crowd *crowd;
    int done; /* atomic */
};

static void churn_or_read(void *argument, unsigned index) {
    struct watched *watched = (struct watched *)argument;
    if (index < 3) {
        churn(watched->crowd->slots[index], 55 + index, false);
        /* Counts only: the reader needs nothing that was written before. */
        __atomic_fetch_add(&watched->done, 1, __ATOMIC_RELAXED);
        return;
    }
    struct hak_stats stats;
    struct hak_class_stats one;
    do {
        hak_stats_get(&stats);
        for (unsigned c = 1; c < hak_class_count(); c++) HAK_EXPECT(hak_class_get_stats(c, &one));
    } while (__atomic_load_n(&watched->done, __ATOMIC_RELAXED) != 3);
}

HAK_TEST(Stats, ReaderBesideRunningThreads) {
    static struct crowd crowd;
    struct watched watched = {&crowd, 0};
    uint64_t live = census_live_blocks();
    threads_run(4, churn_or_read, &watched);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

static const struct hak_pool_stats *pool_in(const struct hak_stats *stats, unsigned pool) {
    const struct hak_pool_stats *pools[] = {&stats->tiny, &stats->l2, &stats->l25, &stats->huge};
    return pools[pool];
}

HAK_TEST(Stats, EachPoolCountsItsOwnBlocks) {
    const size_t sizes[] = {100, 10000, 100000, 3 << 20};
    for (unsigned pool = 0; pool < 4; pool++) {
        struct hak_stats before = census_all();
        void *p = hak_alloc(sizes[pool]);
        struct hak_stats after = census_all();
        for (unsigned other = 0; other < 4; other++) {
            const struct hak_pool_stats *was = pool_in(&before, other), *is = pool_in(&after, other);
            HAK_EXPECT_EQ(is->live_blocks, was->live_blocks + (other == pool));
            HAK_EXPECT_EQ(is->live_bytes, was->live_bytes + (other == pool ? hak_usable_size(p) : 0));
        }
        hak_free(p);
    }
}

HAK_TEST(Stats, HugeBlocksAreCountedExactly) {
    struct hak_pool_stats before = census_all().huge;
    void *p = hak_alloc(5 << 20), *q = hak_alloc(2 << 20);
    struct hak_pool_stats during = census_all().huge;
    HAK_EXPECT_EQ(during.allocations, before.allocations + 2);
    HAK_EXPECT_GE(during.live_bytes, before.live_bytes + (7 << 20));
    hak_free(p);
    hak_free(q);
    struct hak_pool_stats after = census_all().huge;
    HAK_EXPECT_EQ(after.frees, before.frees + 2);
    HAK_EXPECT_EQ(after.live_blocks, before.live_blocks);
}

/* Sums are of one moment where the reader says so, with three threads inside the allocator all the time: it must not say
 * so of any other. */
struct moving {
    int reads, reads_quiet; /* of the reader */
    int done;               /* atomic */
};

#define READS HAK_TEST_SCALE(2000)

/* Where the others get no processor all along, the reader goes on until one of them has moved. */
#define READS_MOST (100 * READS)
#define QUIET_SECONDS 300

static bool adds_up(const struct hak_stats *stats) {
    const struct hak_pool_stats *pools[] = {&stats->tiny, &stats->l2, &stats->l25, &stats->huge};
    bool all = stats->held_bytes == stats->slab_bytes + stats->huge.live_bytes;
    for (unsigned i = 0; i < 4; i++) {
        all &= pools[i]->allocations - pools[i]->frees == pools[i]->live_blocks;
        all &= pools[i]->slabs == pools[i]->slabs_owned + pools[i]->slabs_full + pools[i]->slabs_partial;
    }
    return all;
}

static void move_or_read(void *argument, unsigned index) {
    struct moving *moving = (struct moving *)argument;
    void *slots[32] = {NULL};
    uint64_t random = 5 + index;
    struct hak_stats stats;
    while (index == 0 &&
           (moving->reads < READS || (moving->reads_quiet == moving->reads && moving->reads < READS_MOST))) {
        if (moving->reads >= READS) sched_yield();
        hak_stats_get(&stats);
        moving->reads++;
        moving->reads_quiet += stats.quiet;
        if (stats.quiet && stats.exact) HAK_EXPECT(adds_up(&stats));
    }
    if (index == 0) {
        __atomic_store_n(&moving->done, 1, __ATOMIC_RELAXED);
        return;
    }
    while (__atomic_load_n(&moving->done, __ATOMIC_RELAXED) == 0) {
        const uint64_t value = random_xorshift64(&random);
        hak_free(slots[value % 32]);
        slots[value % 32] = hak_alloc(census_sizes[(value >> 32) % CENSUS_SIZE_COUNT]);
        /* Now and then it rests, so that the reader finds quiet moments too. */
        for (unsigned rest = 0; value % 64 == 0 && rest < 20000; rest++) __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    for (unsigned i = 0; i < 32; i++) hak_free(slots[i]);
}

static bool is_quiet(void *unused) {
    (void)unused;
    return census_all().quiet;
}

HAK_TEST(Stats, SumsAreOfOneMomentWhereTheReaderSaysQuiet) {
    struct moving moving = {0, 0, 0};
    threads_run(4, move_or_read, &moving);
    /* In builds without P3 it cannot be told; else both happen. */
    HAK_EXPECT_LT(moving.reads_quiet, moving.reads);
    /* hakmem's own thread may be about to purge what the others freed, and waits for a processor. */
    if (HAK_P3_SENTINELS) HAK_EXPECT(system_wait_until(is_quiet, NULL, QUIET_SECONDS));
    if (!HAK_P3_SENTINELS) HAK_EXPECT(!is_quiet(NULL));
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Stats, MostHeldIsKept) {
    const struct hak_stats before = census_all();
    void *block = hak_alloc((size_t)96 << 20);
    HAK_EXPECT(block != NULL);
    const struct hak_stats during = census_all();
    HAK_EXPECT_GE(during.held_bytes, before.held_bytes + ((uint64_t)96 << 20));
    HAK_EXPECT_GE(during.held_bytes_most, during.held_bytes);
    hak_free(block);
    const struct hak_stats after = census_all();
    HAK_EXPECT_EQ(after.held_bytes, before.held_bytes);
    HAK_EXPECT_EQ(after.held_bytes_most, during.held_bytes_most);
}

HAK_TEST(Stats, ClassesAndTotalsComeFromOneReading) {
    struct hak_stats stats;
    struct hak_class_stats classes[256];
    HAK_EXPECT(!hak_stats_get_classes(&stats, classes, hak_class_count() - 1));
    void *p = hak_alloc(64);
    HAK_EXPECT(hak_stats_get_classes(&stats, classes, 256));
    HAK_EXPECT_GE(stats.tiny.live_blocks, 1);
    uint64_t live = stats.huge.live_blocks;
    for (unsigned c = 1; c < hak_class_count(); c++) live += classes[c].live_blocks;
    HAK_EXPECT_EQ(live, census_live_blocks());
    HAK_EXPECT_EQ(classes[0].block_size, 0);
    hak_free(p);
}

static void allocate_counted(void *argument, unsigned index) {
    struct waiting *waiting = (struct waiting *)argument;
    void *blocks[100];
    for (unsigned i = 0; i < 50 * (index + 1); i++) blocks[i % 100] = hak_alloc(64);
    pthread_barrier_wait(&waiting->allocated);
    pthread_barrier_wait(&waiting->read);
    for (unsigned i = 0; i < 50 * (index + 1); i++) hak_free(blocks[i]);
}

static void expect_own_tid(void) {
    struct hak_thread_stats all[16];
    const size_t count = hak_stats_get_threads(all, 16);
    HAK_EXPECT_EQ(count, 1);
    HAK_EXPECT_EQ(all[0].tid, gettid());
}

/* The child's only thread has the record of the one that forked, and a number of the kernel's of its own. */
HAK_TEST_ISOLATED(Stats, ThreadOfAForkedChildHasItsOwnNumber, "") {
    hak_free(hak_alloc(1));
    expect_own_tid();
    HAK_EXPECT_EXIT_OK(expect_own_tid());
}

HAK_TEST(Stats, EachThreadHasItsOwnCounts) {
    struct waiting waiting;
    pthread_barrier_init(&waiting.allocated, NULL, 3);
    pthread_barrier_init(&waiting.read, NULL, 3);
    struct threads threads;
    threads_start(&threads, 2, allocate_counted, &waiting);
    pthread_barrier_wait(&waiting.allocated);
    struct hak_thread_stats all[16];
    const size_t count = hak_stats_get_threads(all, 16);
    const struct hak_stats stats = census_all();
    HAK_EXPECT_EQ(count, stats.threads);
    HAK_EXPECT_GE(count, 3);
    unsigned of_50 = 0, of_100 = 0;
    uint64_t exchanges = 0, magazine_bytes = 0;
    for (size_t i = 0; i < count && i < 16; i++) {
        of_50 += all[i].allocations == 50 && all[i].frees == 0;
        of_100 += all[i].allocations == 100 && all[i].frees == 0;
        exchanges += all[i].exchanges;
        magazine_bytes += all[i].magazine_bytes;
        for (size_t j = 0; j < i; j++) HAK_EXPECT(all[i].tid != all[j].tid && all[i].number != all[j].number);
    }
    HAK_EXPECT_LE(exchanges, stats.exchanges);
    /* What waits in quarantines is nobody's. */
    if (HAK_GUARD_FULL) HAK_EXPECT_LE(magazine_bytes, stats.magazine_bytes);
    if (!HAK_GUARD_FULL) HAK_EXPECT_EQ(magazine_bytes, stats.magazine_bytes);
    if (stats.exact) {
        HAK_EXPECT_EQ(of_50, 1);
        HAK_EXPECT_EQ(of_100, 1);
    }
    struct hak_thread_stats one;
    HAK_EXPECT_EQ(hak_stats_get_threads(&one, 1), count);
    HAK_EXPECT_EQ(hak_stats_get_threads(NULL, 0), count);
    pthread_barrier_wait(&waiting.read);
    threads_join(&threads);
    pthread_barrier_destroy(&waiting.allocated);
    pthread_barrier_destroy(&waiting.read);
}

#define HUGE_MIB ((size_t)1 << 20)

HAK_TEST_ISOLATED(Stats, MostHugeBlocksAndBytesAreKept, "") {
    void *first = hak_alloc(3 * HUGE_MIB), *second = hak_alloc(2 * HUGE_MIB);
    HAK_EXPECT_EQ(census_all().huge_blocks_most, 2);
    HAK_EXPECT_EQ(census_all().huge_bytes_most, census_all().huge.live_bytes);
    hak_free(first);
    HAK_EXPECT_EQ(census_all().huge_blocks_most, 2);
    HAK_EXPECT_GE(census_all().huge_bytes_most, 5 * HUGE_MIB);
    /* A block that grows may be the most as well. */
    void *grown = hak_realloc(second, 40 * HUGE_MIB);
    HAK_ASSERT_TRUE(grown != NULL);
    const uint64_t most = census_all().huge_bytes_most;
    HAK_EXPECT_GE(most, 40 * HUGE_MIB);
    hak_free(grown);
    HAK_EXPECT_EQ(census_all().huge.live_bytes, 0);
    HAK_EXPECT_EQ(census_all().huge_bytes_most, most);
}

HAK_TEST_ISOLATED(Stats, MetadataIsWhatWasTouchedForBlocks, "") {
    hak_free(hak_alloc(16));
    const uint64_t small = census_all().metadata_bytes;
    HAK_EXPECT_GT(small, 0);
    HAK_EXPECT_LT(small, 64 * HUGE_MIB);
    static void *blocks[300];
    /* Each of these is a slab, with a descriptor of its own, in several regions. */
    for (unsigned i = 0; i < 300; i++) HAK_ASSERT_TRUE((blocks[i] = hak_alloc(HUGE_MIB / 2)) != NULL);
    HAK_EXPECT_GT(census_all().metadata_bytes, small);
    HAK_EXPECT_LT(census_all().metadata_bytes, 64 * HUGE_MIB);
    for (unsigned i = 0; i < 300; i++) hak_free(blocks[i]);
}

/* What was asked of the system, and what waits to go back. */
HAK_TEST_ISOLATED(Stats, CallsToTheSystemAreCounted, "HAKMEM_PURGE_DELAY_MS=-1") {
    static void *blocks[1 << 13];
    enum { COUNT = sizeof blocks / sizeof blocks[0], SIZE = 512 };
    hak_free(hak_alloc(16));
    const struct hak_stats before = census_all();
    void *huge = hak_alloc(40 * HUGE_MIB);
    const struct hak_stats mapped = census_all();
    HAK_EXPECT_GT(mapped.system_maps, before.system_maps);
    HAK_EXPECT_GE(mapped.mapped_bytes, before.mapped_bytes + 40 * HUGE_MIB);
    HAK_ASSERT_TRUE((huge = hak_realloc(huge, 80 * HUGE_MIB)) != NULL);
    const struct hak_stats grown = census_all();
    HAK_EXPECT_GT(grown.system_remaps, mapped.system_remaps);
    HAK_EXPECT_GE(grown.mapped_bytes, mapped.mapped_bytes + 40 * HUGE_MIB);
    for (unsigned i = 0; i < COUNT; i++) HAK_ASSERT_TRUE((blocks[i] = hak_alloc(SIZE)) != NULL);
    for (unsigned i = 0; i < COUNT; i++) hak_free(blocks[i]);
    hak_free(huge);
    hak_thread_flush();
    const struct hak_stats freed = census_all();
    HAK_EXPECT_GT(freed.slabs_empty, 0);
    HAK_EXPECT_LE(freed.slabs_empty * 65536, freed.decaying_bytes);
    const size_t trimmed = hak_trim();
    const struct hak_stats after = census_all();
    HAK_EXPECT_GE(trimmed, (size_t)COUNT * SIZE);
    HAK_EXPECT_EQ(after.slabs_empty, 0);
    HAK_EXPECT_EQ(after.decaying_bytes, 0);
    HAK_EXPECT_GT(after.system_unmaps, freed.system_unmaps);
    HAK_EXPECT_LE(after.mapped_bytes, grown.mapped_bytes - 80 * HUGE_MIB + 8 * HUGE_MIB);
    HAK_EXPECT_GT(after.system_purges, freed.system_purges);
    HAK_EXPECT_GE(after.purged_bytes, freed.purged_bytes + (uint64_t)COUNT * SIZE * 3 / 4);
    HAK_EXPECT_LE(after.purged_bytes, freed.purged_bytes + trimmed);
}
