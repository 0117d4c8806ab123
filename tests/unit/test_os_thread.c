/* SPDX-License-Identifier: MIT */
/* What os.h promises about time and threads: the clock, waiting for a word, threads of the allocator's own. */
#define _GNU_SOURCE /* cpu_set_t */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"

/* As when the allocator is loaded. */
__attribute__((constructor)) static void init(void) { hak_os_init(); }

#define MIB ((size_t)1 << 20)

HAK_TEST(OsClock, NeverGoesBackAndAdvances) {
    uint64_t start = hak_os_clock_ms(), last = start;
    while (last < start + 20) {
        uint64_t now = hak_os_clock_ms();
        HAK_ASSERT_TRUE(now >= last);
        last = now;
    }
}

static uint64_t precise_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

HAK_TEST(OsClock, IsTheMonotonicClockInMilliseconds) {
    uint64_t before = precise_ms();
    uint64_t coarse = hak_os_clock_ms();
    HAK_EXPECT_LE(before, coarse + 1000);
    HAK_EXPECT_LE(coarse, precise_ms());
}

HAK_TEST(OsWait, ReturnsAtOnceWhereTheWordIsAnother) {
    uint32_t word = 1;
    errno = EDOM;
    hak_os_wait(&word, 0, -1);
    HAK_EXPECT_EQ(errno, EDOM);
}

HAK_TEST(OsWait, ReturnsAfterItsTime) {
    uint32_t word = 0;
    errno = EDOM;
    hak_os_wait(&word, 0, 0);
    hak_os_wait(&word, 0, 1);
    HAK_EXPECT_EQ(errno, EDOM);
}

/* More than a stack of the least size could give to thread-local storage. */
static __thread volatile char large[300 * 1024];

static uint32_t thread_done; /* atomic */
static bool all_signals_blocked;

/* Most of what the stack promises, touched. */
static __attribute__((noinline)) void use_stack(void) {
    volatile char bytes[48 * 1024];
    for (size_t i = 0; i < sizeof bytes; i += 1024) bytes[i] = 1;
    large[0] = bytes[0];
    large[sizeof large - 1] = 1;
}

static void *thread_main(void *argument) {
    sigset_t blocked;
    sigemptyset(&blocked);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    all_signals_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGPROF) == 1 &&
                          sigismember(&blocked, SIGSEGV) == 1 && sigismember(&blocked, SIGRTMAX) == 1;
    use_stack();
    __atomic_store_n((uint32_t *)argument, 1, __ATOMIC_RELEASE);
    hak_os_wake(argument);
    return NULL;
}

HAK_TEST(OsStartThread, RunsWithAllSignalsBlockedAndWakesItsStarter) {
    sigset_t before, after;
    sigemptyset(&before);
    sigemptyset(&after);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    errno = EDOM;
    uintptr_t thread;
    HAK_ASSERT_TRUE(hak_os_start_thread(thread_main, &thread_done, &thread) == 0);
    while (__atomic_load_n(&thread_done, __ATOMIC_ACQUIRE) == 0) hak_os_wait(&thread_done, 0, -1);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT(all_signals_blocked);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int signal = 1; signal < SIGRTMIN; signal++) {
        HAK_EXPECT_EQ(sigismember(&after, signal), sigismember(&before, signal));
    }
    hak_os_join_thread(thread);
    HAK_EXPECT_EQ(errno, EDOM);
}

/* How a thread is scheduled. */
struct scheduling {
    int policy;
    cpu_set_t processors;
};

static void *note_scheduling(void *argument) {
    struct scheduling *const noted = argument;
    noted->policy = sched_getscheduler(0);
    HAK_EXPECT_EQ(sched_getaffinity(0, sizeof noted->processors, &noted->processors), 0);
    return NULL;
}

/* As every new thread, and as docs/preload.md says. */
HAK_TEST_ISOLATED(OsStartThread, HasThePolicyAndTheProcessorsOfItsStarter, "") {
    const struct sched_param priority = {0};
    struct scheduling own, started;
    uintptr_t thread;
    (void)note_scheduling(&own);
    int processor = 0;
    while (!CPU_ISSET(processor, &own.processors)) processor++;
    CPU_ZERO(&own.processors);
    CPU_SET(processor, &own.processors);
    HAK_ASSERT_TRUE(sched_setaffinity(0, sizeof own.processors, &own.processors) == 0);
    if (sched_setscheduler(0, SCHED_BATCH, &priority) != 0)
        HAK_SKIP("the policy may not be changed, as from SCHED_IDLE");
    HAK_ASSERT_TRUE(hak_os_start_thread(note_scheduling, &started, &thread) == 0);
    hak_os_join_thread(thread);
    HAK_EXPECT_EQ(started.policy, SCHED_BATCH);
    HAK_EXPECT(CPU_EQUAL(&started.processors, &own.processors));
}

static void *wait_for_ever(void *word) {
    for (;;) hak_os_wait(word, 0, -1);
    return NULL;
}

static void start_threads_without_room(void) {
    static uint32_t never;
    struct rlimit limit = {MIB, MIB};
    HAK_ASSERT_TRUE(setrlimit(RLIMIT_AS, &limit) == 0);
    errno = EDOM;
    int error = 0;
    /* The C library may have the stacks of ended threads left, few as they are. */
    uintptr_t thread;
    for (int i = 0; i < 16 && error == 0; i++) error = hak_os_start_thread(wait_for_ever, &never, &thread);
    HAK_EXPECT(error == EAGAIN || error == ENOMEM);
    HAK_EXPECT_EQ(errno, EDOM);
}

HAK_TEST(OsStartThread, NoRoomForAStackIsAnErrorAndKeepsErrno) {
#if defined(HAK_TEST_ASAN) || defined(HAK_TEST_TSAN)
    HAK_SKIP("a sanitizer needs terabytes of address space");
#endif
    HAK_EXPECT_EXIT_OK(start_threads_without_room());
}
