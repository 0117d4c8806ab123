/* SPDX-License-Identifier: MIT */
/* What a fork does, step by step: the C library's list of streams, forks within a fork, and what each part of the allocator is told
 * in the child. The linker sends the calls that are counted through this file. */
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/base/observer.h"
#include "hakmem/flags/debug.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/process/fork.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/give_way.h"
#include "hakmem/region/kept.h"
#include "hakmem/sample/hooks.h"
#include "hakmem/sample/profile.h"
#include "hakmem/slab/moving.h"
#include "tests/harness/harness.h"

#define ALONE "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_PURGE_THREAD=0"

/* ---- The list of streams ---- */

static unsigned list_locks, list_unlocks, list_resets;

void __real__IO_list_lock(void);
void __wrap__IO_list_lock(void);
void __real__IO_list_unlock(void);
void __wrap__IO_list_unlock(void);
void __real__IO_list_resetlock(void);
void __wrap__IO_list_resetlock(void);

void __wrap__IO_list_lock(void) {
    list_locks++;
    __real__IO_list_lock();
}

void __wrap__IO_list_unlock(void) {
    list_unlocks++;
    __real__IO_list_unlock();
}

void __wrap__IO_list_resetlock(void) {
    list_resets++;
    __real__IO_list_resetlock();
}

static void expect_list(unsigned locks, unsigned unlocks, unsigned resets) {
    HAK_EXPECT_EQ(list_locks, locks);
    HAK_EXPECT_EQ(list_unlocks, unlocks);
    HAK_EXPECT_EQ(list_resets, resets);
}

static pthread_barrier_t has_begun, may_end;

static void *wait_for_the_end(void *unused) {
    pthread_barrier_wait(&has_begun);
    pthread_barrier_wait(&may_end);
    return unused;
}

/* Of a process of one thread nobody can wait for it. */
HAK_TEST_ISOLATED(ForkSteps, TheListOfStreamsIsTakenOnlyBesideThreads, ALONE) {
    pthread_t thread;
    const unsigned already = os_has_threads(); /* one of ThreadSanitizer's */
    HAK_EXPECT_EXIT_OK(expect_list(already, 0, already));
    expect_list(already, already, 0);
    HAK_ASSERT_TRUE(pthread_barrier_init(&has_begun, NULL, 2) == 0 && pthread_barrier_init(&may_end, NULL, 2) == 0);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, wait_for_the_end, NULL) == 0);
    pthread_barrier_wait(&has_begun);
    HAK_EXPECT_EXIT_OK(expect_list(already + 1, already, 1));
    expect_list(already + 1, already + 1, 0);
    pthread_barrier_wait(&may_end);
    HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
}

/* ---- A fork within ---- */

static void (*within_copy)(void);
static int copy_refusal;

int __real_hak_os_copy(uint32_t *copy);
int __wrap_hak_os_copy(uint32_t *copy);

int __wrap_hak_os_copy(uint32_t *copy) {
    if (within_copy != NULL) within_copy();
    return copy_refusal != 0 ? copy_refusal : __real_hak_os_copy(copy);
}

static unsigned runs, failures;
static int failure;

static void run(void *argument) {
    (void)argument;
    runs++;
}

static void fail(void *argument, int error) {
    (void)argument;
    HAK_EXPECT(hak_fork_would_interrupt()); /* every lock is held */
    failure = error;
    failures++;
}

/* As a signal handler does that interrupts a fork: the outer one keeps its locks, in the child of the inner one too. */
static void fork_within(void) {
    HAK_EXPECT(hak_fork_would_interrupt());
    const pid_t child = fork();
    if (child == 0) _exit(hak_fork_would_interrupt() ? 0 : 1);
    int status = 1;
    HAK_EXPECT_EQ(waitpid(child, &status, 0), child);
    HAK_EXPECT_EQ(status, 0);
    HAK_EXPECT(hak_fork_would_interrupt());
}

HAK_TEST_ISOLATED(ForkSteps, AForkWithinAForkLeavesTheLocksToTheOuterOne, ALONE) {
    hak_free(hak_alloc(16));
    within_copy = fork_within;
    hak_fork_copy(run, fail, NULL);
    HAK_EXPECT_EQ(failures, 0);
    HAK_EXPECT(!hak_fork_would_interrupt());
    HAK_EXPECT_EXIT_OK(HAK_EXPECT(!hak_fork_would_interrupt()));
}

/* And what it took: a list of streams that is taken twice is released once. */
HAK_TEST_ISOLATED(ForkSteps, AForkWithinAForkTakesNothingAgain, ALONE) {
    pthread_t thread;
    hak_free(hak_alloc(16));
    HAK_ASSERT_TRUE(pthread_barrier_init(&has_begun, NULL, 2) == 0 && pthread_barrier_init(&may_end, NULL, 2) == 0);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, wait_for_the_end, NULL) == 0);
    pthread_barrier_wait(&has_begun);
    within_copy = fork_within;
    hak_fork_copy(run, fail, NULL);
    HAK_EXPECT_EQ(failures, 0);
    HAK_EXPECT_EQ(list_locks, 1);
    HAK_EXPECT_EQ(list_unlocks, 1);
    pthread_barrier_wait(&may_end);
    HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
}

HAK_TEST_ISOLATED(ForkSteps, ACopyThatIsRefusedFailsOnce, ALONE) {
    hak_free(hak_alloc(16));
    copy_refusal = EAGAIN;
    hak_fork_copy(run, fail, NULL);
    HAK_EXPECT_EQ(failures, 1);
    HAK_EXPECT_EQ(failure, EAGAIN);
    HAK_EXPECT_EQ(runs, 0);
    HAK_EXPECT(!hak_fork_would_interrupt());
}

/* ---- What is interrupted ---- */

static struct hak_lock *first_lock;

static void note_first(struct hak_lock *lock, struct lock_fork *fork) {
    (void)fork;
    if (first_lock == NULL) first_lock = lock;
}

static struct hak_lock *first_of(void (*visit_locks)(lock_visit *visit, struct lock_fork *fork)) {
    first_lock = NULL;
    visit_locks(note_first, NULL);
    return first_lock;
}

/* In the child: changes of slabs that were under way count as over only where the fork interrupted nothing. */
static void expect_whole(bool is_whole, struct hak_lock *held, bool is_inside) {
    uint64_t begun;
    HAK_EXPECT_EQ(hak_moving_look(&begun), is_whole);
    HAK_EXPECT_EQ(hak_fork_would_interrupt(), held != NULL || is_inside);
    HAK_EXPECT_EQ(hak_fork_would_wait(), held != NULL);
    if (held != NULL) lock_release(held);
    if (is_inside) exchange_leave(hak_self);
}

/* What lies on the stack where the fork has its variables is not 0. */
__attribute__((noinline)) static void soil_stack(void) {
    volatile unsigned char bytes[16384];
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = 0xA5;
}

static void fork_with(struct hak_lock *lock) {
    lock_acquire(lock);
    HAK_EXPECT_EXIT_OK(expect_whole(false, lock, false));
    lock_release(lock);
}

HAK_TEST_ISOLATED(ForkSteps, ChildEndsOnlyWhatItsForkDidNotInterrupt, ALONE) {
    hak_free(hak_alloc(16));
    hak_moving_begin();
    soil_stack();
    HAK_EXPECT_EXIT_OK(expect_whole(true, NULL, false));
    exchange_enter(hak_self);
    HAK_EXPECT(hak_fork_would_interrupt());
    HAK_EXPECT(!hak_fork_would_wait());
    HAK_EXPECT_EXIT_OK(expect_whole(false, NULL, true));
    exchange_leave(hak_self);
    fork_with(first_of(hak_purge_fork_locks));
    fork_with(first_of(hak_huge_fork_locks));
    fork_with(first_of(hak_kept_fork_locks));
    HAK_EXPECT_EXIT_OK(expect_whole(true, NULL, false));
    hak_moving_end();
}

/* Debug builds: what was about to be taken is on the thread's stack of locks, and nobody holds it. */
static void expect_half(struct hak_lock *lock) {
    uint64_t begun;
    HAK_EXPECT(!hak_moving_look(&begun));
    hak_lock_debug_pop(lock);
}

HAK_TEST_ISOLATED(ForkSteps, ChildEndsNothingWhereALockWasAboutToBeTaken, ALONE) {
    if (!HAK_DEBUG) HAK_SKIP("only debug builds have the stack");
    struct hak_lock *const lock = first_of(hak_kept_fork_locks);
    hak_free(hak_alloc(16));
    hak_moving_begin();
    hak_lock_debug_push(lock);
    HAK_EXPECT_EXIT_OK(expect_half(lock));
    hak_lock_debug_pop(lock);
    hak_moving_end();
}

/* ---- Who is told ---- */

static unsigned told_children;
static bool told_whole;

static bool ignore_sample(const struct hak_profile_table *table, uint32_t index) {
    (void)table;
    (void)index;
    return false;
}

static void ignore_record(const struct hak_profile_table *table, uint32_t index) { (void)ignore_sample(table, index); }

static void ignore_whole(const struct hak_profile_table *table) { (void)table; }

static void note_child(bool is_whole) {
    told_children++;
    told_whole = is_whole;
}

static void ignore_end(void) {}

static const struct hak_observer told = {
    .sample = ignore_sample,
    .record = ignore_record,
    .whole = ignore_whole,
    .fork_child = note_child,
    .end = ignore_end,
};

static void expect_told(bool is_whole) {
    HAK_EXPECT_EQ(told_children, 1);
    HAK_EXPECT_EQ(told_whole, is_whole);
}

HAK_TEST_ISOLATED(ForkSteps, ObserversAreToldOfTheChildAndWhetherTheProfileIsWhole, ALONE) {
    const struct hak_observer *const before = hak_observer;
    struct hak_lock *const lock = first_of(hak_profile_fork_locks);
    observer_set(&told);
    HAK_EXPECT_EXIT_OK(expect_told(true));
    lock_acquire(lock);
    HAK_EXPECT_EXIT_OK(expect_told(false));
    lock_release(lock);
    HAK_EXPECT_EQ(told_children, 0);
    observer_set(before);
}

/* Of threads in a hook the child has at most the one that forked. */
static void expect_nobody_in_a_hook(void) {
    HAK_EXPECT_EQ(hak_load_relaxed(&hak_hooks_state), 0);
    HAK_EXPECT(hak_give_way_is_process());
}

HAK_TEST_ISOLATED(ForkSteps, ChildHasNobodyInAHookAndKnowsItsOwnNumber, ALONE) {
    hak_store_relaxed(&hak_hooks_state, HOOKS_ONE);
    HAK_EXPECT_EXIT_OK(expect_nobody_in_a_hook());
    hak_store_relaxed(&hak_hooks_state, 0u);
}

/* Whoever forks without a record counts as nobody in the child. Threads make purges go by advice, and so does a fork. */
static void expect_child(uint32_t users) {
    HAK_EXPECT_EQ(hak_own_thread_users(), users);
    HAK_EXPECT(!hak_purge_is_by_mapping());
}

HAK_TEST_ISOLATED(ForkSteps, ChildCountsItsThread, ALONE) {
    HAK_EXPECT_PTR_EQ((void *)hak_self, NULL);
    HAK_EXPECT(hak_purge_is_by_mapping());
    HAK_EXPECT_EXIT_OK(expect_child(0));
    hak_free(hak_alloc(16));
    HAK_EXPECT(hak_purge_is_by_mapping());
    HAK_EXPECT_EXIT_OK(expect_child(1));
    hak_own_thread_user_begun(); /* as another thread */
    HAK_EXPECT(!hak_purge_is_by_mapping());
    HAK_EXPECT_EXIT_OK(expect_child(1));
    hak_own_thread_user_ended();
    HAK_EXPECT(hak_purge_is_by_mapping());
}

/* ---- A thread of ours ---- */

static void wait_in_own_thread(void) { (void)wait_for_the_end(NULL); }

/* What the parent's thread was to locks is nobody in the child. */
static void expect_no_own_thread(void) {
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PUBLISH));
    HAK_EXPECT_EQ(hak_own_thread_gone(OWN_THREAD_PUBLISH), 0);
    HAK_EXPECT_EQ(hak_own_thread_gone(OWN_THREAD_PURGE), 0);
    HAK_EXPECT_EQ(hak_own_thread_unseen_children(), 0);
}

HAK_TEST_ISOLATED(ForkSteps, ChildKnowsOfNoThreadOfItsParents, ALONE) {
    hak_free(hak_alloc(16));
    HAK_ASSERT_TRUE(pthread_barrier_init(&has_begun, NULL, 2) == 0 && pthread_barrier_init(&may_end, NULL, 2) == 0);
    HAK_ASSERT_TRUE(hak_own_thread_start(OWN_THREAD_PUBLISH, wait_in_own_thread) == 0);
    pthread_barrier_wait(&has_begun);
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PUBLISH));
    HAK_EXPECT_EXIT_OK(expect_no_own_thread());
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PUBLISH));
    pthread_barrier_wait(&may_end);
    hak_own_thread_user_ended(); /* which waits for it */
    hak_own_thread_user_begun();
}

/* ---- What is kept ---- */

#define MIB ((size_t)1 << 20)

/* Whether a span of 12 MiB is made of 8 that are kept, and 4 beside them. */
static bool grows_what_is_kept(void) {
    struct os_counters before, after;
    void *start;
    bool zeroed;
    HAK_EXPECT_EQ(hak_kept_alloc(8 * MIB, HAK_CHUNK_BYTES, &start, &zeroed), 0);
    hak_kept_free(start, 8 * MIB);
    hak_os_counters_get(&before);
    HAK_EXPECT_EQ(hak_kept_alloc(12 * MIB, HAK_CHUNK_BYTES, &start, &zeroed), 0);
    hak_os_counters_get(&after);
    hak_kept_free(start, 12 * MIB);
    (void)hak_kept_purge(UINT64_MAX);
    return after.mapped_bytes - before.mapped_bytes == 4 * MIB;
}

/* The kernel does not join new mappings of a child with those of its parent. */
HAK_TEST_ISOLATED(ForkSteps, ChildMapsWholeSpans, ALONE " HAKMEM_THP=never") {
    hak_free(hak_alloc(16));
    if (!grows_what_is_kept()) HAK_SKIP("nothing lies free beside what is kept");
    HAK_EXPECT_EXIT_OK(HAK_EXPECT(!grows_what_is_kept()));
    HAK_EXPECT(grows_what_is_kept());
}
