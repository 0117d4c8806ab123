/* SPDX-License-Identifier: MIT */
/* The counts of builds with --//hakmem/flags:contention: each is exact where nobody else runs. */
#include "hakmem/base/contention.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "hakmem/base/lock.h"
#include "hakmem/hakmem.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define BLOCK_BYTES 4096
#define BLOCKS 1024
#define CHUNK_SHIFT 16

static struct hak_lock huge_lock = HAK_LOCK_INITIALIZER(HAK_RANK_HUGE);
static HAK_CACHE_ALIGNED uint64_t word;

/* Of all locks of the rank. */
static struct contention_holds holds_of(enum hak_lock_rank wanted) {
    struct contention_holds sum = {0}, holds;
    unsigned rank;
    for (unsigned i = 0; hak_contention_lock(i, &rank, &holds); i++) {
        if (rank == wanted) {
            sum.acquired += holds.acquired;
            sum.waited += holds.waited;
            sum.moved += holds.moved;
            sum.held += holds.held;
        }
    }
    return sum;
}

/* Of all steps in `function`; *lines is the last line that one of its places had to itself. */
static struct contention_steps steps_of(const char *function, uintptr_t *only_line) {
    struct contention_steps sum = {0}, steps;
    struct contention_site site;
    uintptr_t line;
    for (unsigned i = 0; hak_contention_site(i, &site, &line, &steps); i++) {
        if (strcmp(site.function, function) == 0) {
            sum.steps += steps.steps;
            sum.moved += steps.moved;
            *only_line = line;
        }
    }
    return sum;
}

static void make_steps(void *unused, unsigned index) {
    (void)unused;
    (void)index;
    uint64_t zero = 0;
    hak_fetch_add_relaxed(&word, (uint64_t)1);
    hak_fetch_add_seq_cst(&word, (uint64_t)1);
    hak_fetch_add_acq_rel(&word, (uint64_t)1);
    hak_fetch_or_release(&word, (uint64_t)4);
    hak_fetch_or_acq_rel(&word, (uint64_t)8);
    (void)hak_exchange_acquire(&word, (uint64_t)5);
    (void)hak_exchange_acq_rel(&word, (uint64_t)5);
    (void)hak_exchange_seq_cst(&word, (uint64_t)5);
    (void)hak_compare_exchange_acq_rel(&word, &zero, (uint64_t)6); /* finds 5 */
    (void)hak_compare_exchange_seq_cst(&word, &zero, (uint64_t)0);
}

#define STEPS 10

HAK_TEST_ISOLATED(Contention, StepsAreCountedByPlaceAndLine, "") {
    uintptr_t line = 0;
    make_steps(NULL, 0);
    make_steps(NULL, 0);
    HAK_EXPECT_EQ(steps_of("make_steps", &line).steps, 2 * STEPS);
    HAK_EXPECT_EQ(steps_of("make_steps", &line).moved, 0);
    HAK_EXPECT_EQ(line, (uintptr_t)&word);
    threads_run(1, make_steps, NULL); /* the line comes to the thread once, and back once */
    make_steps(NULL, 0);
    HAK_EXPECT_EQ(steps_of("make_steps", &line).steps, 4 * STEPS);
    HAK_EXPECT_EQ(steps_of("make_steps", &line).moved, 2);
}

static void step_on(uint64_t *p) { hak_fetch_add_relaxed(p, (uint64_t)1); }

HAK_TEST_ISOLATED(Contention, APlaceWithSeveralLinesHasNone, "") {
    HAK_CACHE_ALIGNED uint64_t words[2 * HAK_CACHE_LINE / sizeof(uint64_t)] = {0};
    uintptr_t line = 1;
    step_on(&words[0]);
    step_on(&words[1]);
    (void)steps_of("step_on", &line);
    HAK_EXPECT_EQ(line, (uintptr_t)&words[0]);
    step_on(&words[HAK_CACHE_LINE / sizeof(uint64_t)]);
    HAK_EXPECT_EQ(steps_of("step_on", &line).steps, 3);
    HAK_EXPECT_EQ(line, 0);
}

static void acquire(void *unused, unsigned index) {
    (void)unused;
    (void)index;
    lock_acquire(&huge_lock);
    lock_release(&huge_lock);
}

HAK_TEST_ISOLATED(Contention, AcquisitionsAreCountedByRank, "") {
    for (unsigned i = 0; i < 100; i++) {
        acquire(NULL, 0);
    }
    HAK_EXPECT_EQ(holds_of(HAK_RANK_HUGE).acquired, 100);
    HAK_EXPECT_EQ(holds_of(HAK_RANK_HUGE).waited, 0);
    HAK_EXPECT_EQ(holds_of(HAK_RANK_HUGE).moved, 0);
    HAK_EXPECT_EQ(holds_of(HAK_RANK_PURGE).acquired, 0);
}

HAK_TEST_ISOLATED(Contention, AnAcquisitionThatFindsTheLockTakenHasWaited, "") {
    static struct threads others;
    lock_acquire(&huge_lock);
    threads_start(&others, 1, acquire, NULL);
    /* Relaxed: it only says that the other thread sleeps. */
    while ((hak_load_relaxed(&huge_lock.word) & LOCK_WAITERS) == 0) {
        sched_yield();
    }
    const uint64_t before = contention_clock();
    while (contention_clock() - before < 1000) {
    }
    lock_release(&huge_lock);
    threads_join(&others);
    const struct contention_holds holds = holds_of(HAK_RANK_HUGE);
    HAK_EXPECT_EQ(holds.acquired, 2);
    HAK_EXPECT_EQ(holds.waited, 1);
    HAK_EXPECT_EQ(holds.moved, 1);
    HAK_EXPECT_GE(holds.held, 1000);
}

HAK_TEST_ISOLATED(Contention, ANewSlabTakesEachOfItsLocksOnce, "") {
    static void *blocks[BLOCKS];
    const uint64_t before = holds_of(HAK_RANK_CLASS).acquired, regions_before = holds_of(HAK_RANK_REGION).acquired;
    unsigned slabs = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(BLOCK_BYTES);
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        bool is_known = false;
        for (unsigned j = 0; j < i && !is_known; j++) {
            is_known = (uintptr_t)blocks[i] >> CHUNK_SHIFT == (uintptr_t)blocks[j] >> CHUNK_SHIFT;
        }
        slabs += !is_known;
    }
    HAK_EXPECT_GE(slabs, BLOCKS * BLOCK_BYTES >> CHUNK_SHIFT);
    HAK_EXPECT_EQ(holds_of(HAK_RANK_CLASS).acquired - before, slabs);
    HAK_EXPECT_EQ(holds_of(HAK_RANK_REGION).acquired - regions_before, slabs);
    for (unsigned i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
}

#define TURNS 100

static pthread_barrier_t turn;

/* Each thread's blocks are of another class, and each makes them by a path of its own. */
static void sample_in_turn(void *unused, unsigned index) {
    (void)unused;
    for (unsigned i = 0; i < TURNS; i++) {
        hak_free(hak_alloc_at((size_t)64 << index, (const char *)&word + index));
        pthread_barrier_wait(&turn);
    }
}

/* The first acquisition of a class's lock by a thread moves it from the one that started the profile. */
HAK_TEST_ISOLATED(Contention, ThreadsThatSampleDifferentClassesShareNoLock, "HAKMEM_PURGE_THREAD=0") {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    pthread_barrier_init(&turn, NULL, 2);
    uintptr_t line = 0;
    const struct contention_holds profile = holds_of(HAK_RANK_PROFILE), records = holds_of(HAK_RANK_RECORDS);
    threads_run(2, sample_in_turn, NULL);
    HAK_EXPECT_EQ(holds_of(HAK_RANK_PROFILE).acquired - profile.acquired, 2 * 2 * TURNS);
    HAK_EXPECT_EQ(holds_of(HAK_RANK_PROFILE).moved - profile.moved, 2);
    HAK_EXPECT_EQ(holds_of(HAK_RANK_RECORDS).acquired - records.acquired, 2);
    HAK_EXPECT_EQ(steps_of("hak_moving_begin", &line).steps, 2 * TURNS);
    HAK_EXPECT_EQ(steps_of("hak_moving_begin", &line).moved, 0);
    hak_profile_stop();
}

/* What a reader writes to a thread's record, the thread has to fetch: two visits in a reading, however many classes it used. */
HAK_TEST_ISOLATED(Contention, AReadingVisitsARecordTwice, "HAKMEM_PURGE_THREAD=0") {
    uintptr_t line = 0;
    struct hak_stats stats;
    for (size_t size = 16; size <= 1024; size += 16) {
        hak_free(hak_alloc(size));
    }
    const uint64_t before = steps_of("reading_enter", &line).steps;
    hak_stats_get(&stats);
    HAK_EXPECT_EQ(stats.threads, 1);
    HAK_EXPECT_EQ(steps_of("reading_enter", &line).steps - before, 2);
}
