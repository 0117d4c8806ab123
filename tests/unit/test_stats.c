/* Statistics: the sums, the pools, the sites, and a reader beside running threads. */
#include <stdint.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
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
