/* SPDX-License-Identifier: MIT */
/* A copy of the process in which something is looked at, and whether a fork here and now would interrupt the allocator. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "hakmem/base/atomic.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/process/fork.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"

/* Shared with the copy. */
struct seen {
    uint32_t runs; /* atomic */
    uint64_t live_blocks;
    bool interrupts; /* the copy holds a lock */
};

static struct seen *seen;
static int private_to_each, failures, last_error;
static bool failed_with_locks;

static void look(void *argument) {
    HAK_EXPECT_PTR_EQ(argument, &private_to_each);
    private_to_each++;
    seen->live_blocks = census_live_blocks();
    seen->interrupts = hak_fork_would_interrupt();
    hak_free(hak_alloc(100));
    (void)hak_fetch_add_acq_rel(&seen->runs, 1u);
}

static void be_killed(void *argument) {
    (void)argument;
    raise(SIGKILL);
}

static void note_failure(void *argument, int error) {
    HAK_EXPECT_PTR_EQ(argument, &private_to_each);
    failures++;
    last_error = error;
    failed_with_locks = hak_fork_would_interrupt();
}

static void begin(void) {
    hak_free(hak_alloc(16));
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HAK_EXPECT(seen != MAP_FAILED);
}

/* The copy sees what the process has, changes nothing of it, and has ended when the call returns. */
HAK_TEST_ISOLATED(ForkCopy, LooksAtTheProcessAndLeavesItAsItWas, "") {
    begin();
    void *p = hak_alloc(48), *huge = hak_alloc((size_t)3 << 20);
    const uint64_t live = census_live_blocks(), allocations = census_allocations();
    for (uint32_t round = 1; round <= 3; round++) {
        hak_fork_copy(look, note_failure, &private_to_each);
        HAK_EXPECT_EQ(hak_load_acquire(&seen->runs), round);
        HAK_EXPECT_EQ(seen->live_blocks, live);
        HAK_EXPECT(!seen->interrupts);
    }
    HAK_EXPECT_EQ(failures, 0);
    HAK_EXPECT_EQ(private_to_each, 0);
    HAK_EXPECT_EQ(census_allocations(), allocations);
    hak_free(p);
    hak_free(huge);
    /* Every lock is free, and a child is as any other. */
    HAK_EXPECT_EXIT_OK(hak_free(hak_alloc((size_t)3 << 20)));
    HAK_EXPECT(!hak_fork_would_interrupt());
}

HAK_TEST_ISOLATED(ForkCopy, SaysThatTheCopyWasKilled, "") {
    begin();
    hak_fork_copy(be_killed, note_failure, &private_to_each);
    HAK_EXPECT_EQ(failures, 1);
    HAK_EXPECT_EQ(last_error, ECANCELED);
    HAK_EXPECT(failed_with_locks);
    HAK_EXPECT(!hak_fork_would_interrupt());
    HAK_EXPECT_EQ(hak_load_acquire(&seen->runs), 0);
    hak_free(hak_alloc((size_t)3 << 20));
}

static bool interrupts, waits;
static unsigned looks;

static void look_inside(void) {
    interrupts = hak_fork_would_interrupt();
    waits = hak_fork_would_wait();
    looks++;
}

/* Whoever makes a region holds its lock. */
HAK_TEST_ISOLATED(ForkCopy, WouldInterruptWhereALockIsHeld, "") {
    begin();
    HAK_EXPECT(!hak_fork_would_interrupt());
    HAK_EXPECT(!hak_fork_would_wait());
    os_fake_reset();
    os_fake_within(OS_FAKE_COMMIT, look_inside);
    void *blocks[64];
    for (unsigned i = 0; i < 64; i++) blocks[i] = hak_alloc((size_t)1 << 20);
    HAK_EXPECT_EQ(looks, 1);
    HAK_EXPECT(interrupts);
    HAK_EXPECT(waits);
    for (unsigned i = 0; i < 64; i++) hak_free(blocks[i]);
    os_fake_reset();
    HAK_EXPECT(!hak_fork_would_interrupt());
    HAK_EXPECT(!hak_fork_would_wait());
}

/* Outside of any exchange, too: whoever moves a huge block's pages holds the lock of its table. */
HAK_TEST_ISOLATED(ForkCopy, WouldInterruptAHugeRealloc, "") {
    begin();
    char *p = hak_alloc((size_t)40 << 20);
    os_fake_reset();
    os_fake_within(OS_FAKE_REMAP, look_inside);
    p = hak_realloc(p, (size_t)80 << 20);
    os_fake_reset();
    HAK_EXPECT(p != NULL);
    HAK_EXPECT_EQ(looks, 1);
    HAK_EXPECT(interrupts);
    HAK_EXPECT(waits);
    hak_free(p);
    HAK_EXPECT(!hak_fork_would_interrupt());
    HAK_EXPECT(!hak_fork_would_wait());
}

static pthread_barrier_t turn;

/* Beside a thread, so that the process has two when the copy is made. */
static void *use_a_stream(void *unused) {
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    FILE *const stream = fopen("/dev/null", "r");
    HAK_EXPECT(stream != NULL && fclose(stream) == 0);
    return unused;
}

/* The C library's list of streams is nobody's when the copy is made; a stream that another thread opens enters it. */
HAK_TEST_ISOLATED(ForkCopy, LeavesTheListOfStreamsToOtherThreads, "") {
    pthread_t thread;
    begin();
    HAK_ASSERT_TRUE(pthread_barrier_init(&turn, NULL, 2) == 0);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, use_a_stream, NULL) == 0);
    pthread_barrier_wait(&turn);
    hak_fork_copy(look, note_failure, &private_to_each);
    HAK_EXPECT_EQ(failures, 0);
    pthread_barrier_wait(&turn);
    HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
}
