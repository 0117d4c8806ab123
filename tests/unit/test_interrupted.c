/* SPDX-License-Identifier: MIT */
/* Debug builds: a signal handler that interrupted the allocator and calls it ends the process with a line that says so. */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "hakmem/base/lock.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/magazine/thread.h"
#include "tests/harness/harness.h"

#define LINE "a signal handler that interrupted the allocator in its thread calls the allocator"

static size_t size_in_handler;
static void *free_in_handler;

static void call_the_allocator(int signal) {
    (void)signal;
    if (free_in_handler != NULL) {
        hak_free(free_in_handler);
    } else {
        hak_free(hak_alloc(size_in_handler));
    }
}

static void handle(int signal) {
    struct sigaction action = {.sa_handler = call_the_allocator};
    HAK_ASSERT_TRUE(sigaction(signal, &action, NULL) == 0);
}

static void raise_in_an_exchange(void) {
    handle(SIGUSR1);
    exchange_enter(hak_self);
    raise(SIGUSR1);
}

static void raise_with_a_lock(void) {
    static struct hak_lock lock = HAK_LOCK_INITIALIZER(HAK_RANK_CLASS);
    handle(SIGUSR1);
    lock_acquire(&lock);
    raise(SIGUSR1);
}

static void raise_in_a_fast_path(void) {
    handle(SIGUSR1);
    (void)magazine_enter();
    raise(SIGUSR1);
}

/* A handler that comes every 100 us finds the allocator at work sooner or later. */
static void allocate_under_a_timer(void) {
    const struct itimerval often = {.it_interval = {.tv_usec = 100}, .it_value = {.tv_usec = 100}};
    size_in_handler = 100;
    handle(SIGALRM);
    HAK_ASSERT_TRUE(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (;;) {
        void *blocks[512];
        for (unsigned i = 0; i < 512; i++) blocks[i] = hak_alloc(100);
        for (unsigned i = 0; i < 512; i++) hak_free(blocks[i]);
    }
}

static bool is_debug(void) {
    hak_free(hak_alloc(1)); /* the thread has its record */
    return HAK_DEBUG;
}

HAK_TEST(Interrupted, InAnExchange) {
    static const size_t sizes[] = {0, 16, 1000, 20000, 200000, 2000000};
    if (!is_debug()) HAK_SKIP("no assertions");
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_in_handler = sizes[i];
        HAK_EXPECT_DEATH(raise_in_an_exchange(), LINE);
    }
    free_in_handler = hak_alloc(100);
    HAK_EXPECT_DEATH(raise_in_an_exchange(), LINE);
    hak_free(free_in_handler);
    free_in_handler = NULL;
}

HAK_TEST(Interrupted, WithALock) {
    if (!is_debug()) HAK_SKIP("no assertions");
    HAK_EXPECT_DEATH(raise_with_a_lock(), LINE);
}

HAK_TEST(Interrupted, InAFastPath) {
    if (!is_debug()) HAK_SKIP("no assertions");
    HAK_EXPECT_DEATH(raise_in_a_fast_path(), LINE);
}

HAK_TEST(Interrupted, Anywhere) {
    if (!is_debug()) HAK_SKIP("no assertions");
    HAK_EXPECT_DEATH(allocate_under_a_timer(), LINE);
}

static void raise_beside_the_allocator(void) {
    handle(SIGUSR1);
    raise(SIGUSR1);
}

/* What interrupts the program anywhere else is as good as any other call. */
HAK_TEST(Interrupted, NotAtAll) { HAK_EXPECT_EXIT_OK(raise_beside_the_allocator()); }
