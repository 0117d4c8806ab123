/* SPDX-License-Identifier: MIT */
/* fork while other threads allocate: the child has a whole allocator, and what vanished threads had cached. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/random.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/process/purge.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"
#include "tests/harness/threads.h"

#define MIB ((size_t)1 << 20)
#define WORKERS 4
#define SLOTS 64

/* ThreadSanitizer ends a child of a process with several threads when that reuses the id of one of them. */
#ifdef HAK_TEST_TSAN
#define CHILD_HAS_THREADS false
#else
#define CHILD_HAS_THREADS true
#endif

/* AddressSanitizer's allocator serves the C library when a thread begins or ends, and takes none of its locks at a fork:
 * if a thread holds one then, a child that starts threads waits for ever. So no purge thread begins beside a fork. */
#ifdef HAK_TEST_ASAN
#define OPTIONS "HAKMEM_PURGE_THREAD=0"
#else
#define OPTIONS ""
#endif

static void allocate_one_of_each_size(void) {
    void *blocks[CENSUS_SIZE_COUNT];
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        blocks[i] = hak_alloc(census_sizes[i]);
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        pattern_mark_pages(blocks[i], census_sizes[i], i);
    }
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        HAK_EXPECT(pattern_pages_hold(blocks[i], census_sizes[i], i));
        hak_free(blocks[i]);
    }
}

/* ---- Under load ---- */

static void *mailbox[WORKERS]; /* atomic; each thread frees what its neighbour left */
static uint32_t load_ended;    /* atomic */

static void work_until_told(void *argument, unsigned index) {
    uint64_t state = index + 1;
    void *slots[SLOTS] = {NULL};
    (void)argument;
    /* Relaxed: only the end of the loop hangs on it. */
    while (hak_load_relaxed(&load_ended) == 0) {
        const uint64_t random = random_xorshift64(&state);
        void **slot = &slots[random % SLOTS];
        hak_free(*slot);
        *slot = hak_alloc(census_sizes[(random >> 32) % CENSUS_SIZE_COUNT]);
        /* Acquire-release of the exchange: the neighbour's block is whole. */
        hak_free(__atomic_exchange_n(&mailbox[(index + 1) % WORKERS], NULL, __ATOMIC_ACQ_REL));
        hak_free(__atomic_exchange_n(&mailbox[index], hak_alloc(random % 2000), __ATOMIC_ACQ_REL));
        if (random % 1024 == 0) hak_trim();
    }
    for (unsigned i = 0; i < SLOTS; i++) hak_free(slots[i]);
    hak_free(__atomic_exchange_n(&mailbox[index], NULL, __ATOMIC_ACQ_REL));
}

static void allocate_in_thread(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    for (int i = 0; i < 3; i++) allocate_one_of_each_size();
}

/* What a child does, to the given depth of children of its own. */
static void live_on(unsigned depth) {
    allocate_one_of_each_size();
    /* Blocks that a thread of the parent allocated and that is not here. */
    for (unsigned i = 0; i < WORKERS; i++) hak_free(mailbox[i]);
    memset(mailbox, 0, sizeof mailbox);
    if (CHILD_HAS_THREADS) threads_run(2, allocate_in_thread, NULL);
    hak_trim();
    struct hak_stats stats;
    hak_stats_get(&stats);
    if (depth > 0) HAK_EXPECT_EXIT_OK(live_on(depth - 1));
    allocate_one_of_each_size();
}

#define FORKS HAK_TEST_SCALE(6)

HAK_TEST_ISOLATED(Fork, ChildrenOfABusyProcessLiveOn, OPTIONS) {
    struct threads threads;
    threads_start(&threads, WORKERS, work_until_told, NULL);
    for (int i = 0; i < FORKS && harness_failure_count() == 0; i++) HAK_EXPECT_EXIT_OK(live_on(2));
    hak_store_relaxed(&load_ended, 1u);
    threads_join(&threads);
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- What vanished threads had ---- */

static pthread_barrier_t cached, seen;
static const struct hak_thread *record_of_the_other;

static void cache_and_wait(void *argument, unsigned index) {
    (void)argument;
    allocate_one_of_each_size();
    if (index == 0) record_of_the_other = hak_self;
    pthread_barrier_wait(&cached);
    pthread_barrier_wait(&seen);
}

static void expect_only_own_cache(uint64_t live, uint64_t allocations, uint64_t frees) {
    hak_thread_flush();
    struct hak_stats stats = census_all();
    HAK_EXPECT_EQ(stats.magazine_bytes, 0);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    if (stats.exact) HAK_EXPECT_EQ(census_allocations(), allocations);
    if (stats.exact) HAK_EXPECT_EQ(census_frees(), frees);
    CENSUS_EXPECT_CONSISTENT();
    /* Nobody owns a slab any more, and every block is free. */
    hak_trim();
    if (live == 0) HAK_EXPECT_EQ(census_slabs(), 0);
    allocate_one_of_each_size();
}

HAK_TEST_ISOLATED(Fork, ChildGetsTheMagazinesOfThreadsItDoesNotHave, OPTIONS) {
    struct threads threads;
    pthread_barrier_init(&cached, NULL, WORKERS + 1);
    pthread_barrier_init(&seen, NULL, WORKERS + 1);
    threads_start(&threads, WORKERS, cache_and_wait, NULL);
    pthread_barrier_wait(&cached);
    HAK_EXPECT_GT(census_all().magazine_bytes, 0);
    HAK_EXPECT_EXIT_OK(expect_only_own_cache(census_live_blocks(), census_allocations(), census_frees()));
    /* Nothing of that happened here. */
    HAK_EXPECT_GT(census_all().magazine_bytes, 0);
    pthread_barrier_wait(&seen);
    threads_join(&threads);
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- What the fork interrupted ---- */

/* As if a signal handler forked while another thread, or this one, was in an exchange. */
static void cache_and_wait_in_an_exchange(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    allocate_one_of_each_size();
    record_of_the_other = hak_self;
    exchange_enter(hak_self);
    pthread_barrier_wait(&cached);
    pthread_barrier_wait(&seen);
    exchange_leave(hak_self);
}

static void expect_that_others_keep(uint64_t slabs) {
    allocate_one_of_each_size();
    hak_thread_flush();
    hak_trim();
    HAK_EXPECT_GE(census_slabs(), slabs);
    HAK_EXPECT_EQ(census_all().threads, 1);
    HAK_EXPECT_EQ(census_all().quiet, HAK_P3_SENTINELS != 0);
    if (CHILD_HAS_THREADS) threads_run(2, allocate_in_thread, NULL);
    allocate_one_of_each_size();
}

static void with_one_other(void (*other)(void *argument, unsigned index), void (*body)(void)) {
    struct threads threads;
    pthread_barrier_init(&cached, NULL, 2);
    pthread_barrier_init(&seen, NULL, 2);
    threads_start(&threads, 1, other, NULL);
    pthread_barrier_wait(&cached);
    body();
    pthread_barrier_wait(&seen);
    threads_join(&threads);
    CENSUS_EXPECT_CONSISTENT();
}

static void expect_another_record(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    hak_free(hak_alloc(1));
    HAK_EXPECT(hak_self != record_of_the_other);
}

/* The child of the child does not take it for one whose thread has ended. */
static void expect_that_nobody_gets_the_record(void) {
    if (CHILD_HAS_THREADS) threads_run(2, expect_another_record, NULL);
}

static void expect_that_the_record_is_lost(void) {
    expect_that_others_keep(1);
    HAK_EXPECT_EXIT_OK(expect_that_nobody_gets_the_record());
}

/* A child that flushes magazines which are half-way gives out what is in none of them, or twice. */
static void fork_beside_an_exchange(void) { HAK_EXPECT_EXIT_OK(expect_that_the_record_is_lost()); }

HAK_TEST_ISOLATED(Fork, ChildLeavesThreadsInsideAnExchange, OPTIONS) {
    with_one_other(cache_and_wait_in_an_exchange, fork_beside_an_exchange);
}

static void leave_and_expect_that_others_keep(void) {
    exchange_leave(hak_self);
    expect_that_the_record_is_lost();
}

static void fork_inside_an_exchange(void) {
    hak_free(hak_alloc(1));
    exchange_enter(hak_self);
    HAK_EXPECT_EXIT_OK(leave_and_expect_that_others_keep());
    exchange_leave(hak_self);
}

HAK_TEST_ISOLATED(Fork, ChildLeavesOthersWhereItsOwnExchangeWasInterrupted, OPTIONS) {
    with_one_other(cache_and_wait, fork_inside_an_exchange);
}

/* A thread that begins asks for its number with the lock held, and forks there. */
uint32_t __real_hak_os_thread_id(void);
uint32_t __wrap_hak_os_thread_id(void);

static struct hak_lock *threads_lock;
static struct harness_child child_of_a_begin;
static bool forks_in_a_begin, is_child_of_a_begin;

uint32_t __wrap_hak_os_thread_id(void) {
    if (forks_in_a_begin && !hak_lock_is_free(threads_lock)) {
        forks_in_a_begin = false;
        is_child_of_a_begin = harness_child_fork(&child_of_a_begin, __FILE__, __LINE__);
    }
    return __real_hak_os_thread_id();
}

static void note_lock(struct hak_lock *lock, struct lock_fork *fork) {
    (void)fork;
    threads_lock = lock;
}

static void fork_inside_a_begin(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    hak_thread_fork_locks(note_lock, NULL);
    forks_in_a_begin = true;
    hak_free(hak_alloc(1));
    if (is_child_of_a_begin) {
        expect_that_others_keep(1);
        harness_child_end(&child_of_a_begin);
    }
    harness_child_judge(&child_of_a_begin, NULL, __FILE__, __LINE__, "begin in the child");
}

static void begin_and_fork(void) { threads_run(1, fork_inside_a_begin, NULL); }

HAK_TEST_ISOLATED(Fork, ChildRetiresOthersOnceTheBeginThatItInterruptedEnds, OPTIONS) {
    with_one_other(cache_and_wait, begin_and_fork);
}

static void expect_no_reader(void) { HAK_EXPECT_EQ(hak_self->tops, RECORD_HAS_TOPS); }

/* As if another thread just followed this one's tops: it is not in the child, where the end of this one would wait for it. */
HAK_TEST_ISOLATED(Fork, ChildHasNoReaderOfItsParent, OPTIONS) {
    hak_free(hak_alloc(1));
    hak_fetch_add_acq_rel(&hak_self->tops, RECORD_READER);
    HAK_EXPECT_EXIT_OK(expect_no_reader());
    hak_fetch_add_acq_rel(&hak_self->tops, (uint32_t)-RECORD_READER);
}

/* ---- Purging in the child ---- */

static bool nothing_waits(void *unused) {
    (void)unused;
    return census_all().decaying_bytes == 0;
}

static void expect_purge_without_help(void) {
    hak_free(hak_alloc(100)); /* only who has a record counts as a thread */
    hak_free(hak_alloc(8 * MIB));
    HAK_EXPECT(system_wait_until(nothing_waits, NULL, 300));
}

/* What the flush itself empties may be too little to start a thread for, where all else was due by then. */
static bool little_waits(void *unused) {
    (void)unused;
    return census_all().decaying_bytes <= PURGE_THREAD_BYTES;
}

static bool nothing_waits_after_a_slow_path(void *unused) {
    hak_thread_flush();
    return nothing_waits(unused);
}

static void expect_purge_of_what_waits(void) {
    hak_thread_flush();
    HAK_EXPECT(system_wait_until(little_waits, NULL, 300));
    /* That little goes with the slow paths that follow. */
    HAK_EXPECT(system_wait_until(nothing_waits_after_a_slow_path, NULL, 300));
}

HAK_TEST_ISOLATED(Fork, ChildPurgesThoughItsParentsThreadIsGone, "HAKMEM_PURGE_DELAY_MS=50 HAKMEM_PURGE_THREAD=1") {
    if (!CHILD_HAS_THREADS) HAK_SKIP("no threads in children");
    expect_purge_without_help();
    HAK_EXPECT_EXIT_OK(expect_purge_without_help());
    /* What waits at the time of the fork goes as well, from the child's first exchange on. */
    hak_free(hak_alloc(8 * MIB));
    HAK_EXPECT_EXIT_OK(expect_purge_of_what_waits());
}
