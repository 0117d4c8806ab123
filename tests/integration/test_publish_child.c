/* SPDX-License-Identifier: MIT */
/* Children that no handler of fork sees, made while the allocator's thread that publishes holds a lock: it reads what the lock guards, or
 * copies the process. They do not have that thread, and need that lock. */
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/base/lock.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/os/os.h"
#include "hakmem/process/fork.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/region/region.h"
#include "tests/harness/harness.h"

#define HUGE_BYTES ((size_t)3 << 20)
#define BLOCKS 64
#define BLOCK_BYTES ((size_t)512 << 10)
#define CHILD_SECONDS 60 /* a child takes milliseconds */

/* glibc 2.34 and later. */
extern pid_t _Fork(void) __attribute__((weak));

static atomic_bool is_to_stay; /* our thread, where it next holds the lock */
static sem_t has_come, may_go;

static void stay_once(void) {
    if (atomic_exchange(&is_to_stay, false)) {
        sem_post(&has_come);
        sem_wait(&may_go);
    }
}

int __real_hak_os_copy(uint32_t *copy);
int __wrap_hak_os_copy(uint32_t *copy);

int __wrap_hak_os_copy(uint32_t *copy) {
    stay_once();
    return __real_hak_os_copy(copy);
}

static void visit_span(struct region *region, unsigned first, void *unused) {
    (void)region;
    (void)first;
    (void)unused;
    stay_once();
}

static void visit_block(void *start, size_t size, void *unused) {
    (void)start;
    (void)size;
    (void)unused;
    stay_once();
}

static void run_in_the_copy(void *unused) { (void)unused; }

static void fail(void *unused, int error) {
    (void)unused;
    HAK_EXPECT_EQ(error, 0);
}

/* What the thread does. */

static void read_regions(void) {
    hak_region_for_each_span(visit_span, NULL);
    hak_own_thread_leave(OWN_THREAD_PUBLISH);
}

static void read_huge_blocks(void) {
    hak_huge_for_each(visit_block, NULL);
    hak_own_thread_leave(OWN_THREAD_PUBLISH);
}

static void copy_the_process(void) {
    hak_fork_copy(run_in_the_copy, fail, NULL);
    hak_own_thread_leave(OWN_THREAD_PUBLISH);
}

static void leave_at_once(void) { hak_own_thread_leave(OWN_THREAD_PUBLISH); }

/* What the child does. */

static void allocate_and_free(void) {
    void *blocks[BLOCKS];
    void *const huge = hak_alloc(HUGE_BYTES);
    if (huge == NULL) _exit(1);
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(BLOCK_BYTES);
        if (blocks[i] == NULL) _exit(1);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    hak_free(huge);
    hak_trim();
    fflush(NULL); /* as exit does, which goes over all streams */
}

static int status_of(pid_t child) {
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : 1;
}

/* It needs the locks in a fork of its own. */
static void fork_first(void) {
    const pid_t inner = fork();
    if (inner == 0) {
        allocate_and_free();
        _exit(0);
    }
    if (status_of(inner) != 0) _exit(1);
}

/* Or has begun a thread of that kind, before it needs them. */
static void begin_first(void) {
    hak_fork_release_left();
    if (hak_own_thread_start(OWN_THREAD_PUBLISH, leave_at_once) != 0) _exit(1);
    while (hak_own_thread_gone(OWN_THREAD_PUBLISH) != 0) sched_yield();
}

/* What the thread may have been changing stays locked, and what others hold. */
static void tell_apart(void) {
    static const struct hak_lock profile = HAK_LOCK_INITIALIZER(HAK_RANK_PROFILE);
    static const struct hak_lock classes = HAK_LOCK_INITIALIZER(HAK_RANK_CLASS);
    static const struct hak_lock huge = HAK_LOCK_INITIALIZER(HAK_RANK_HUGE);
    const uintptr_t gone = hak_own_thread_gone(OWN_THREAD_PUBLISH), here = lock_self();
    const bool is_right = gone != 0 && hak_lock_was_left(&huge, gone | LOCK_WAITERS) &&
                          hak_lock_was_left(&profile, gone | LOCK_FORK) && !hak_lock_was_left(&profile, gone) &&
                          !hak_lock_was_left(&classes, gone | LOCK_WAITERS) && !hak_lock_was_left(&huge, here) &&
                          !hak_lock_was_left(&huge, 0) && !hak_lock_was_left(&huge, gone + LOCK_FLAGS + 1);
    if (!is_right) _exit(1);
}

struct child {
    void (*beside)(void); /* what the thread does meanwhile */
    pid_t (*make)(void);
    void (*begins)(void); /* NULL: it allocates at once */
};

static void expect_that_the_child_goes_on(struct child how) {
    void *const huge = hak_alloc(HUGE_BYTES);
    HAK_ASSERT_TRUE(huge != NULL && sem_init(&has_come, 0, 0) == 0 && sem_init(&may_go, 0, 0) == 0);
    hak_free(hak_alloc(16));
    fflush(NULL);
    atomic_store(&is_to_stay, true);
    HAK_ASSERT_TRUE(hak_own_thread_start(OWN_THREAD_PUBLISH, how.beside) == 0);
    sem_wait(&has_come);
    const pid_t child = how.make();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        if (how.begins != NULL) how.begins();
        allocate_and_free();
        _exit(0);
    }
    sem_post(&may_go);
    HAK_EXPECT_EQ(status_of(child), 0);
    while (hak_own_thread_runs(OWN_THREAD_PUBLISH)) sched_yield();
    hak_free(huge);
}

static pid_t make_by_clone(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

/* No thread of ours but that one. */
#define ALONE "HAKMEM_PURGE_THREAD=0"

HAK_TEST_ISOLATED(PublishChild, GoesOnWhereRegionsWereRead, ALONE) {
    expect_that_the_child_goes_on((struct child){.beside = read_regions, .make = make_by_clone});
}

HAK_TEST_ISOLATED(PublishChild, GoesOnWhereHugeBlocksWereRead, ALONE) {
    expect_that_the_child_goes_on((struct child){.beside = read_huge_blocks, .make = make_by_clone});
}

HAK_TEST_ISOLATED(PublishChild, GoesOnWhereTheProcessWasCopied, ALONE) {
    expect_that_the_child_goes_on((struct child){.beside = copy_the_process, .make = make_by_clone});
}

HAK_TEST_ISOLATED(PublishChild, OfABareForkGoesOn, ALONE) {
    if (_Fork == NULL) HAK_SKIP("the C library has no _Fork");
    expect_that_the_child_goes_on((struct child){.beside = read_regions, .make = _Fork});
}

HAK_TEST_ISOLATED(PublishChild, LeavesLockedWhatMayBeHalfChanged, ALONE) {
    expect_that_the_child_goes_on((struct child){.beside = read_regions, .make = make_by_clone, .begins = tell_apart});
}

HAK_TEST_ISOLATED(PublishChild, Forks, ALONE) {
    expect_that_the_child_goes_on((struct child){.beside = read_regions, .make = make_by_clone, .begins = fork_first});
    expect_that_the_child_goes_on(
        (struct child){.beside = copy_the_process, .make = make_by_clone, .begins = fork_first});
}

HAK_TEST_ISOLATED(PublishChild, BeginsAThreadOfItsOwn, ALONE) {
    expect_that_the_child_goes_on((struct child){.beside = read_regions, .make = make_by_clone, .begins = begin_first});
    expect_that_the_child_goes_on(
        (struct child){.beside = copy_the_process, .make = make_by_clone, .begins = begin_first});
}
