/* Locks: they exclude, and debug builds abort at the first breach of the order. */
#include <pthread.h>
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
    lock_acquire_next_of_rank(&class_lock);
}

static void acquire_next_below(void) {
    lock_acquire(&region_lock);
    lock_acquire_next_of_rank(&class_lock);
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
    HAK_EXPECT_DEATH(acquire_next_below(), "lock->rank > highest_rank_held");
    HAK_EXPECT_DEATH(acquire_twice(), "!lock_debug_is_held");
    HAK_EXPECT_DEATH(acquire_without_init(), "HAK_RANK_PURGE");
}

HAK_TEST(Lock, ReleaseAndAssertionOfWhatIsNotHeldDieInDebugBuilds) {
    if (!HAK_DEBUG) HAK_SKIP("the check is in debug builds");
    HAK_EXPECT_DEATH(lock_release(&class_lock), "lock_debug_is_held");
    HAK_EXPECT_DEATH(lock_assert_held(&class_lock), "lock_debug_is_held");
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
    HAK_EXPECT_DEATH(assert_held_in_another_thread(), "lock_debug_is_held");
}

HAK_TEST(Lock, ForkWithEveryLockOfARankLeavesThemUsableInTheChild) {
    enum { COUNT = 40 }; /* the deadlock detector of ThreadSanitizer keeps 64 held locks */
    static struct hak_lock locks[COUNT];
    for (unsigned i = 0; i < COUNT; i++) lock_init(&locks[i], HAK_RANK_CLASS);
    lock_acquire(&threads_lock);
    for (unsigned i = 0; i < COUNT; i++) lock_acquire_next_of_rank(&locks[i]);
    lock_acquire(&region_lock);
    pid_t child = fork();
    lock_release(&region_lock);
    for (unsigned i = 0; i < COUNT; i++) lock_release(&locks[i]);
    lock_release(&threads_lock);
    for (unsigned i = 0; i < COUNT; i++) {
        lock_acquire(&locks[i]);
        lock_release(&locks[i]);
    }
    if (child == 0) _exit(0);
    int status = -1;
    HAK_EXPECT_EQ(waitpid(child, &status, 0), child);
    HAK_EXPECT_EQ(status, 0);
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
    lock_init(&counter_lock, HAK_RANK_REGION);
    counter = 0;
    for (unsigned i = 0; i < 4; i++) HAK_ASSERT_TRUE(pthread_create(&threads[i], NULL, count, &rounds) == 0);
    for (unsigned i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    HAK_EXPECT_EQ(counter, 4 * rounds);
}
