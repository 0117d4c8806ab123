/* SPDX-License-Identifier: MIT */
/* Children that no handler of fork sees, made while the allocator's own thread holds the purge lock, in the middle of a system call: they
 * do not have that thread, and purge and fork all the same. */
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge_pass.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define BLOCKS 64
#define BLOCK_BYTES ((size_t)512 << 10)
#define CHILD_SECONDS 60 /* a child takes milliseconds */

/* glibc 2.34 and later. */
extern pid_t _Fork(void) __attribute__((weak));

static atomic_bool is_to_stay; /* our thread, in its next system call that purges */
static sem_t has_come, may_go;

int __real_hak_os_purge(void *start, size_t size);
int __wrap_hak_os_purge(void *start, size_t size);

int __wrap_hak_os_purge(void *start, size_t size) {
    if (hak_own_thread_is_current() && atomic_exchange(&is_to_stay, false)) {
        sem_post(&has_come);
        sem_wait(&may_go);
    }
    return __real_hak_os_purge(start, size);
}

static void allocate_and_free(void) {
    void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(BLOCK_BYTES);
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}

/* How a child is made, and what is special about it. */
struct child {
    pid_t (*make)(void);
    bool has_thread; /* it begins a thread of the allocator's before it purges itself */
};

static void live_as_child(const struct child *child) {
    alarm(CHILD_SECONDS);
    allocate_and_free();
    while (child->has_thread && hak_own_thread_gone(OWN_THREAD_PURGE) != 0) sched_yield();
    hak_trim();
    /* A new mapping in the place of purged pages would be joined with nothing that the parent wrote, and they would become too many. */
    if (hak_purge_is_by_mapping()) _exit(2);
    const pid_t inner = fork();
    if (inner == 0) {
        hak_trim();
        _exit(0);
    }
    int status = 1;
    _exit(inner > 0 && waitpid(inner, &status, 0) == inner && status == 0 ? 0 : 1);
}

static void copy_beside(void *copy, unsigned index) {
    const struct child *const how = copy;
    (void)index;
    sem_init(&has_come, 0, 0);
    sem_init(&may_go, 0, 0);
    atomic_store(&is_to_stay, true);
    allocate_and_free();
    sem_wait(&has_come);
    const pid_t child = how->make();
    if (child == 0) live_as_child(how);
    sem_post(&may_go);
    int status = 1;
    HAK_EXPECT_EQ(waitpid(child, &status, 0), child);
    HAK_EXPECT_EQ(status, 0);
}

/* Beside the first thread, which has a record too: so the allocator may have a thread. */
static void expect_that_the_child_goes_on(struct child child) {
    hak_free(hak_alloc(16));
    threads_run(1, copy_beside, &child);
}

static pid_t make_by_clone(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

#define AT_ONCE "HAKMEM_PURGE_DELAY_MS=1"

HAK_TEST_ISOLATED(PurgeChild, OfARawCloneGoesOn, AT_ONCE) {
    expect_that_the_child_goes_on((struct child){.make = make_by_clone});
}

HAK_TEST_ISOLATED(PurgeChild, OfABareForkGoesOn, AT_ONCE) {
    if (_Fork == NULL) HAK_SKIP("the C library has no _Fork");
    expect_that_the_child_goes_on((struct child){.make = _Fork});
}

/* Nothing is due yet in the child, but so much waits that it begins a thread. */
#define LATER "HAKMEM_PURGE_DELAY_MS=1000 HAKMEM_PURGE_THREAD=1"

HAK_TEST_ISOLATED(PurgeChild, OfARawCloneBeginsAThreadOfItsOwn, LATER) {
    expect_that_the_child_goes_on((struct child){.make = make_by_clone, .has_thread = true});
}

HAK_TEST_ISOLATED(PurgeChild, OfABareForkBeginsAThreadOfItsOwn, LATER) {
    if (_Fork == NULL) HAK_SKIP("the C library has no _Fork");
    expect_that_the_child_goes_on((struct child){.make = _Fork, .has_thread = true});
}
