/* SPDX-License-Identifier: MIT */
/* Whoever purges makes way for a fork as long as there is one, in the process, in its copy and in its child: between its pieces it
 * sleeps, which the linker sends through this file. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/hakmem.h"
#include "hakmem/process/fork.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/region_list.h"
#include "tests/harness/harness.h"

#define ALONE "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_PURGE_THREAD=0"

static unsigned sleeps;

void __real_hak_os_sleep_ms(uint64_t duration_ms);
void __wrap_hak_os_sleep_ms(uint64_t duration_ms);

void __wrap_hak_os_sleep_ms(uint64_t duration_ms) {
    sleeps++;
    __real_hak_os_sleep_ms(duration_ms);
}

static unsigned sleeps_of_a_purge(void) {
    sleeps = 0;
    (void)hak_purge_all();
    return sleeps;
}

static uint32_t *seen; /* atomic; shared with the copy: how often that slept */

static void purge_in_the_copy(void *argument) {
    (void)argument;
    hak_store_relaxed(seen, sleeps_of_a_purge());
}

static void fail(void *argument, int error) {
    (void)argument;
    HAK_EXPECT_EQ(error, 0);
}

HAK_TEST_ISOLATED(ForkPurge, MakesWayAsLongAsThereIsAFork, ALONE) {
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HAK_ASSERT_TRUE(seen != MAP_FAILED);
    hak_free(hak_alloc((size_t)3 << 20));
    HAK_EXPECT_EQ(sleeps_of_a_purge(), 0);
    hak_fork_copy(purge_in_the_copy, fail, NULL);
    HAK_EXPECT_GE(hak_load_relaxed(seen), 1);
    HAK_EXPECT_EQ(sleeps_of_a_purge(), 0);
    for (unsigned i = 0; i < 3; i++) {
        HAK_EXPECT_EXIT_OK(HAK_EXPECT_EQ(sleeps_of_a_purge(), 0));
        HAK_EXPECT_EQ(sleeps_of_a_purge(), 0);
    }
}

/* What a child says that no handler of fork saw. */
static bool in_raw_child(bool (*check)(void)) {
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(check() ? 0 : 1);
    int status = 1;
    return waitpid(child, &status, 0) == child && status == 0;
}

static bool waits_for_no_fork(void) { return sleeps_of_a_purge() == 0; }

/* The kernel's page tells it: without, there is nothing to see. */
static bool waits_for_its_own_forks(void) {
    if (hak_own_thread_unseen_children() == 0) return true;
    if (!waits_for_no_fork()) return false;
    hak_purge_fork_begin();
    if (waits_for_no_fork() || !in_raw_child(waits_for_no_fork)) return false;
    hak_purge_fork_end();
    if (!waits_for_no_fork()) return false;
    hak_purge_fork_end(); /* as where a handler of a signal made the child in the middle of a fork */
    return waits_for_no_fork();
}

static bool counts_its_own_fork_first(void) {
    hak_purge_fork_begin();
    hak_purge_fork_end();
    return hak_own_thread_unseen_children() == 0 || waits_for_no_fork();
}

/* Another thread is about to fork, which these children do not have. */
HAK_TEST_ISOLATED(ForkPurge, ChildThatNoHandlerSawMakesWayForItsOwnForksOnly, ALONE) {
#ifdef HAK_TEST_TSAN
    HAK_SKIP("ThreadSanitizer does not know such children");
#endif
    hak_free(
        hak_alloc(16)); /* so that this thread counts, and the next one is the second, which makes the kernel's page */
    hak_free(hak_alloc((size_t)3 << 20));
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(hak_own_thread_users(), 2);
    hak_purge_fork_begin();
    HAK_EXPECT_GE(sleeps_of_a_purge(), 1);
    HAK_EXPECT(in_raw_child(waits_for_its_own_forks));
    HAK_EXPECT(in_raw_child(counts_its_own_fork_first));
    HAK_EXPECT_GE(sleeps_of_a_purge(), 1);
    hak_purge_fork_end();
    HAK_EXPECT_EQ(sleeps_of_a_purge(), 0);
    hak_own_thread_user_ended();
}

/* A thread of the parent has taken the look, and asks for nothing in the child. */
HAK_TEST_ISOLATED(ForkPurge, ChildLooksForRegionsThatWaitForHugePages, ALONE) {
    hak_free(hak_alloc(16));
    while (hak_decay_take()) {
    }
    HAK_EXPECT_EXIT_OK(HAK_EXPECT_EQ(decay_due_ms(), 0));
    hak_regions.huge_pages_from_ms = 5;
    hak_store_relaxed(&hak_regions.huge_pages_wait, true);
    HAK_EXPECT_EXIT_OK(HAK_EXPECT_EQ(decay_due_ms(), 5));
}
