/* SPDX-License-Identifier: MIT */
/* Locks: they exclude, and debug builds abort at the first breach of the order. */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/base/lock.h"
#include "tests/harness/harness.h"

static struct hak_lock threads_lock = HAK_LOCK_INITIALIZER(HAK_RANK_THREADS);
static struct hak_lock class_lock = HAK_LOCK_INITIALIZER(HAK_RANK_CLASS);
static struct hak_lock other_class_lock = HAK_LOCK_INITIALIZER(HAK_RANK_CLASS);
static struct hak_lock region_lock = HAK_LOCK_INITIALIZER(HAK_RANK_REGION);

HAK_TEST(Lock, AscendingRanksAreTakenAndReleasedInAnyOrder) {
    for (int i = 0; i < 3; i++) {
        lock_acquire(&threads_lock);
        lock_acquire(&class_lock);
        lock_acquire(&region_lock);
        lock_assert_held(&class_lock);
        lock_release(&class_lock);
        lock_release(&threads_lock);
        lock_assert_held(&region_lock);
        lock_release(&region_lock);
    }
    /* Where a lower one went first, the highest that is left still counts. */
    lock_acquire(&threads_lock);
    lock_acquire(&class_lock);
    lock_release(&threads_lock);
    lock_acquire(&region_lock);
    lock_release(&region_lock);
    lock_release(&class_lock);
}

static void acquire_descending(void) {
    lock_acquire(&region_lock);
    lock_acquire(&class_lock);
}

static void acquire_descending_after_a_release(void) {
    lock_acquire(&threads_lock);
    lock_acquire(&region_lock);
    lock_release(&threads_lock);
    lock_acquire(&class_lock);
}

static void acquire_equal(void) {
    lock_acquire(&class_lock);
    lock_acquire(&other_class_lock);
}

static void acquire_twice(void) {
    lock_acquire(&class_lock);
    lock_acquire(&class_lock);
}

static void acquire_without_init(void) {
    static struct hak_lock zero;
    lock_acquire(&zero);
}

HAK_TEST(Lock, WrongOrderDiesInDebugBuilds) {
    if (!HAK_DEBUG) HAK_SKIP("the check is in debug builds");
    HAK_EXPECT_DEATH(acquire_descending(), "lock->rank > highest_rank_held");
    HAK_EXPECT_DEATH(acquire_descending_after_a_release(), "lock->rank > highest_rank_held");
    HAK_EXPECT_DEATH(acquire_equal(), "lock->rank > highest_rank_held");
    HAK_EXPECT_DEATH(acquire_twice(), "!hak_lock_debug_is_held");
    HAK_EXPECT_DEATH(acquire_without_init(), "HAK_RANK_PURGE");
}

HAK_TEST(Lock, ReleaseAndAssertionOfWhatIsNotHeldDieInDebugBuilds) {
    if (!HAK_DEBUG) HAK_SKIP("the check is in debug builds");
    HAK_EXPECT_DEATH(lock_release(&class_lock), "hak_lock_debug_is_held");
    HAK_EXPECT_DEATH(lock_assert_held(&class_lock), "hak_lock_debug_is_held");
}

static void *assert_held(void *lock) {
    lock_assert_held(lock);
    return NULL;
}

static void assert_held_in_another_thread(void) {
    pthread_t thread;
    lock_acquire(&class_lock);
    if (pthread_create(&thread, NULL, assert_held, &class_lock) == 0) pthread_join(thread, NULL);
}

HAK_TEST(Lock, HeldMeansHeldByThisThread) {
    if (!HAK_DEBUG) HAK_SKIP("the check is in debug builds");
    HAK_EXPECT_DEATH(assert_held_in_another_thread(), "hak_lock_debug_is_held");
}

HAK_TEST(Lock, ForkWithEveryLockOfARankLeavesThemUsableInTheChild) {
    enum { COUNT = 40 };
    static struct hak_lock locks[COUNT];
    for (unsigned i = 0; i < COUNT; i++) hak_lock_init(&locks[i], HAK_RANK_CLASS);
    struct lock_fork state;
    hak_lock_fork_begin(&state);
    for (unsigned i = 0; i < COUNT; i++) hak_lock_fork_acquire(&locks[i], &state);
    hak_lock_fork_acquire(&region_lock, &state);
    HAK_EXPECT(!state.is_half);
    /* A handler of the program may allocate. */
    lock_acquire(&region_lock);
    lock_release(&region_lock);
    pid_t child = fork();
    for (unsigned i = 0; i < COUNT; i++) hak_lock_fork_release(&locks[i], NULL);
    hak_lock_fork_release(&region_lock, NULL);
    for (unsigned i = 0; i < COUNT; i++) {
        lock_acquire(&locks[i]);
        lock_release(&locks[i]);
    }
    if (child == 0) _exit(0);
    int status = -1;
    HAK_EXPECT_EQ(waitpid(child, &status, 0), child);
    HAK_EXPECT_EQ(status, 0);
}

/* Of a thread that is not in this process. */
static uint64_t not_here __attribute__((aligned(8)));

static bool left_regions(const struct hak_lock *lock, uintptr_t word) {
    return (word & ~LOCK_FLAGS) == (uintptr_t)&not_here && lock->rank == HAK_RANK_REGION;
}

HAK_TEST(Lock, WhatAThreadLeftThatIsNotHereIsTaken) {
    static struct hak_lock left = HAK_LOCK_INITIALIZER(HAK_RANK_REGION), other = HAK_LOCK_INITIALIZER(HAK_RANK_CLASS);
    struct lock_fork state;
    alarm(300); /* who waits for that thread waits for ever */
    hak_lock_was_left = left_regions;
    left.word = (uintptr_t)&not_here;
    lock_acquire(&left);
    lock_release(&left);
    HAK_EXPECT(hak_lock_is_free(&left));
    left.word = (uintptr_t)&not_here | LOCK_WAITERS;
    hak_lock_fork_begin(&state);
    hak_lock_fork_note(&left, &state);
    hak_lock_fork_acquire(&left, &state);
    HAK_EXPECT(!state.is_half);
    hak_lock_fork_release(&left, NULL);
    HAK_EXPECT(hak_lock_is_free(&left));
    left.word = other.word = (uintptr_t)&not_here | LOCK_FORK;
    hak_lock_release_left(&left, NULL);
    hak_lock_release_left(&other, NULL);
    HAK_EXPECT(hak_lock_is_free(&left));
    HAK_EXPECT(!hak_lock_is_free(&other));
    hak_lock_was_left = NULL;
    left.word = (uintptr_t)&not_here;
    hak_lock_release_left(&left, NULL);
    HAK_EXPECT(!hak_lock_is_free(&left));
    left.word = other.word = 0;
    alarm(0);
}

static struct hak_lock counter_lock;
static uint64_t counter; /* counter_lock */

static void *count(void *rounds) {
    for (uint64_t i = 0; i < *(uint64_t *)rounds; i++) {
        lock_acquire(&counter_lock);
        counter++;
        lock_release(&counter_lock);
    }
    return NULL;
}

HAK_TEST(Lock, ExcludesOtherThreads) {
    pthread_t threads[4];
    uint64_t rounds = HAK_TEST_SCALE(100000);
    hak_lock_init(&counter_lock, HAK_RANK_REGION);
    counter = 0;
    for (unsigned i = 0; i < 4; i++) HAK_ASSERT_TRUE(pthread_create(&threads[i], NULL, count, &rounds) == 0);
    for (unsigned i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    HAK_EXPECT_EQ(counter, 4 * rounds);
}

/* ---- fork in a signal handler ---- */

HAK_TEST(Lock, ForkPassesWhatItsThreadHolds) {
    struct lock_fork state;
    lock_acquire(&class_lock);
    hak_lock_fork_begin(&state);
    hak_lock_fork_note(&threads_lock, &state);
    hak_lock_fork_note(&class_lock, &state);
    HAK_EXPECT_EQ(state.own_count, 1);
    hak_lock_fork_acquire(&threads_lock, &state);
    hak_lock_fork_acquire(&class_lock, &state);
    hak_lock_fork_release(&threads_lock, &state);
    hak_lock_fork_release(&class_lock, &state);
    HAK_EXPECT(hak_lock_is_free(&threads_lock));
    HAK_EXPECT(!hak_lock_is_free(&class_lock));
    lock_release(&class_lock);
    HAK_EXPECT(hak_lock_is_free(&class_lock));
}

static bool would_wait(void) {
    struct lock_fork state;
    hak_lock_fork_begin(&state);
    hak_lock_fork_note(&threads_lock, &state);
    hak_lock_fork_note(&class_lock, &state);
    return hak_lock_fork_would_wait(&state);
}

/* What it holds for a fork it may acquire again. */
HAK_TEST(Lock, ThreadWouldWaitForWhatItHoldsButNotForAFork) {
    struct lock_fork state;
    HAK_EXPECT(!would_wait());
    lock_acquire(&class_lock);
    HAK_EXPECT(would_wait());
    lock_release(&class_lock);
    HAK_EXPECT(!would_wait());
    hak_lock_fork_begin(&state);
    hak_lock_fork_acquire(&threads_lock, &state);
    HAK_EXPECT(!would_wait());
    lock_acquire(&class_lock);
    HAK_EXPECT(would_wait());
    lock_release(&class_lock);
    HAK_EXPECT(!would_wait());
    hak_lock_fork_release(&threads_lock, &state);
}

static void *hold_one_and_wait_for_another(void *holds) {
    lock_acquire(&threads_lock);
    __atomic_store_n((bool *)holds, true, __ATOMIC_RELEASE);
    lock_acquire(&region_lock);
    lock_release(&region_lock);
    lock_release(&threads_lock);
    return NULL;
}

HAK_TEST(Lock, ForkDoesNotWaitForWhoWaitsForIt) {
    pthread_t thread;
    bool holds = false;
    lock_acquire(&region_lock);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, hold_one_and_wait_for_another, &holds) == 0);
    while (!__atomic_load_n(&holds, __ATOMIC_ACQUIRE)) sched_yield();
    struct lock_fork state;
    hak_lock_fork_begin(&state);
    hak_lock_fork_note(&threads_lock, &state);
    hak_lock_fork_note(&region_lock, &state);
    hak_lock_fork_acquire(&threads_lock, &state);
    hak_lock_fork_acquire(&region_lock, &state);
    HAK_EXPECT(state.is_half);
    /* In the child it stays with its holder, which is gone; here the holder goes on. */
    hak_lock_fork_release(&threads_lock, &state);
    hak_lock_fork_release(&region_lock, &state);
    HAK_EXPECT(!hak_lock_is_free(&threads_lock));
    lock_release(&region_lock);
    pthread_join(thread, NULL);
    HAK_EXPECT(hak_lock_is_free(&threads_lock));
}

static void *take_for_a_fork(void *unused) {
    struct lock_fork state;
    hak_lock_fork_begin(&state);
    hak_lock_fork_acquire(&threads_lock, &state);
    return unused;
}

HAK_TEST(Lock, ChildReleasesWhatAnotherForkHadTaken) {
    pthread_t thread;
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, take_for_a_fork, NULL) == 0);
    pthread_join(thread, NULL);
    HAK_EXPECT(!hak_lock_is_free(&threads_lock));
    hak_lock_fork_release(&threads_lock, NULL);
    HAK_EXPECT(!hak_lock_is_free(&threads_lock));
    hak_lock_fork_release_child(&threads_lock, NULL);
    HAK_EXPECT(hak_lock_is_free(&threads_lock));
}

static struct hak_lock wanted_lock = HAK_LOCK_INITIALIZER(HAK_RANK_CLASS);

static void *take_shortly(void *unused) {
    lock_acquire(&wanted_lock);
    lock_release(&wanted_lock);
    return unused;
}

/* A release that was interrupted between its two steps. */
HAK_TEST(Lock, ForkWakesWhomItsThreadWasToWake) {
    pthread_t thread;
    lock_acquire(&wanted_lock);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, take_shortly, NULL) == 0);
    while ((hak_load_relaxed(&wanted_lock.word) & LOCK_WAITERS) == 0) sched_yield();
    hak_lock_depended_on = &wanted_lock;
    if (HAK_DEBUG) hak_lock_debug_pop(&wanted_lock);
    hak_store_release(&wanted_lock.word, (uintptr_t)0);
    struct lock_fork state;
    hak_lock_fork_begin(&state);
    pthread_join(thread, NULL);
    hak_lock_depended_on = NULL;
    HAK_EXPECT(hak_lock_is_free(&wanted_lock));
}

/* What a handler interrupted may be interrupted by another one that forks. */
HAK_TEST(Lock, ForkLeavesNotedWhomItsThreadIsToWake) {
    struct lock_fork state;
    hak_lock_depended_on = &wanted_lock;
    hak_lock_fork_begin(&state);
    hak_lock_fork_note(&threads_lock, &state);
    hak_lock_fork_acquire(&threads_lock, &state);
    hak_lock_fork_release(&threads_lock, &state);
    HAK_EXPECT_PTR_EQ(hak_lock_depended_on, &wanted_lock);
    hak_lock_depended_on = NULL;
}
