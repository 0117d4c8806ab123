/* SPDX-License-Identifier: MIT */
/* The allocator's own threads, step by step: who begins one, who joins it, and what ends it. The system's threads are the test's:
 * numbers, which run when the test says so. */
#include <errno.h>
#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/own_thread.h"
#include "tests/harness/harness.h"

/* One that purges may run beside a single thread of the program. */
#define ALWAYS "HAKMEM_PURGE_THREAD=1"

static int start_error;
static void (*starting)(void); /* while a thread is being started */
static bool refuses_map, refuses_wiped;
static unsigned started, woken, waits;
static uintptr_t joined[8];
static unsigned joins;
static void *(*system_main)(void *);
static void *system_argument;
static const uint32_t *waited_on;
static int64_t waited_ms;

int __wrap_hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread);
int __real_hak_os_map(size_t size, size_t alignment, void **out);
int __wrap_hak_os_map(size_t size, size_t alignment, void **out);
int __real_hak_os_map_wiped(size_t size, void **out);
int __wrap_hak_os_map_wiped(size_t size, void **out);
uint32_t __real_hak_os_thread_id(void);
uint32_t __wrap_hak_os_thread_id(void);
void __wrap_hak_os_join_thread(uintptr_t thread);
void __wrap_hak_os_wake(const uint32_t *word);
void __wrap_hak_os_wait(const uint32_t *word, uint32_t value, int64_t duration_ms);

int __wrap_hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread) {
    if (start_error != 0) return start_error;
    system_main = main;
    system_argument = argument;
    *thread = 100 + ++started;
    if (starting != NULL) starting();
    return 0;
}

int __wrap_hak_os_map(size_t size, size_t alignment, void **out) {
    return refuses_map ? ENOMEM : __real_hak_os_map(size, alignment, out);
}

static void (*meanwhile)(void); /* what another thread does while a page is mapped; NULL: nothing */
static unsigned wiped_calls;    /* how often one was asked for */
static void *wiped;             /* what was mapped last; NULL: the kernel wipes nothing */

int __wrap_hak_os_map_wiped(size_t size, void **out) {
    wiped_calls++;
    const int error = refuses_wiped ? EINVAL : __real_hak_os_map_wiped(size, out);
    void (*const work)(void) = meanwhile;
    meanwhile = NULL;
    if (work != NULL) work();
    wiped = error == 0 ? *out : NULL;
    return error;
}

/* What the kernel does in a child. */
static void wipe(void) { memset(wiped, 0, hak_os_page_size()); }

static void (*naming)(void); /* while this thread asks the system who it is */

uint32_t __wrap_hak_os_thread_id(void) {
    void (*const call)(void) = naming;
    naming = NULL;
    if (call != NULL) call();
    return __real_hak_os_thread_id();
}

void __wrap_hak_os_join_thread(uintptr_t thread) {
    if (joins < sizeof joined / sizeof joined[0]) joined[joins] = thread;
    joins++;
}

static void (*waking)(void); /* before a thread is woken */

void __wrap_hak_os_wake(const uint32_t *word) {
    waited_on = word;
    woken++;
    if (waking != NULL) waking();
}

void __wrap_hak_os_wait(const uint32_t *word, uint32_t value, int64_t duration_ms) {
    HAK_EXPECT_EQ(value, 0);
    waited_on = word;
    waited_ms = duration_ms;
    waits++;
}

static unsigned runs;

static void own_main(void) {
    runs++;
    HAK_EXPECT(hak_own_thread_is_current());
}

static void other_main(void) {}

static int start(void) { return hak_own_thread_start(OWN_THREAD_PURGE, own_main); }

HAK_TEST_ISOLATED(OwnThreadSteps, NoneBeginsWithoutAThreadOfTheProgram, ALWAYS) {
    hak_process_begin();
    HAK_EXPECT_EQ(hak_own_thread_users(), 0);
    HAK_EXPECT_EQ(start(), ESRCH);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT_EQ(started, 1);
    HAK_EXPECT_EQ(joins, 0); /* there was none before */
}

static void begin_another(void) { HAK_EXPECT_EQ(start(), 0); }

/* One of both pages goes back, and is no hole where the next block is tried: the kernel chose where it lies. */
HAK_TEST_ISOLATED(OwnThreadSteps, TwoThatBeginOneAtOnceHaveOnePage, ALWAYS) {
    struct os_counters before, after;
    hak_process_begin();
    hak_own_thread_user_begun();
    hak_os_counters_get(&before);
    meanwhile = begin_another;
    HAK_EXPECT_EQ(start(), EBUSY);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(started, 1);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes + hak_os_page_size());
    HAK_EXPECT_EQ(after.unmaps, before.unmaps);
}

HAK_TEST_ISOLATED(OwnThreadSteps, OneOfAKindRunsAtATime, ALWAYS) {
    hak_process_begin();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PURGE));
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PUBLISH));
    HAK_EXPECT_EQ(start(), EBUSY);
    HAK_EXPECT_EQ(hak_own_thread_start(OWN_THREAD_PUBLISH, other_main), 0);
    HAK_EXPECT_EQ(started, 2);
    /* It leaves, and the next one joins it. */
    hak_own_thread_leave(OWN_THREAD_PURGE);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT_EQ(started, 3);
    HAK_EXPECT_EQ(joins, 1);
    HAK_EXPECT_EQ(joined[0], 101);
    /* Or it stays, and there is no next one. */
    hak_own_thread_leave(OWN_THREAD_PURGE);
    HAK_EXPECT(hak_own_thread_stay(OWN_THREAD_PURGE));
    HAK_EXPECT(!hak_own_thread_stay(OWN_THREAD_PURGE));
    HAK_EXPECT_EQ(start(), EBUSY);
    HAK_EXPECT_EQ(started, 3);
}

HAK_TEST_ISOLATED(OwnThreadSteps, LastThreadOfTheProgramEndsThemAll, ALWAYS) {
    hak_process_begin();
    hak_own_thread_user_begun();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT_EQ(hak_own_thread_start(OWN_THREAD_PUBLISH, other_main), 0);
    hak_own_thread_user_ended();
    HAK_EXPECT_EQ(joins, 0);
    HAK_EXPECT(!hak_own_thread_must_end(OWN_THREAD_PURGE));
    hak_own_thread_user_ended();
    HAK_EXPECT_EQ(joins, 2);
    HAK_EXPECT_EQ(woken, 2);
    HAK_EXPECT_EQ(joined[0], 101);
    HAK_EXPECT_EQ(joined[1], 102);
    HAK_EXPECT_EQ(hak_own_thread_users(), 0);
    /* The next one has nothing to join, and is not to end. */
    hak_own_thread_leave(OWN_THREAD_PURGE);
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT_EQ(joins, 2);
    HAK_EXPECT(!hak_own_thread_must_end(OWN_THREAD_PURGE));
}

/* Publishing was asked for, and goes on. */
HAK_TEST_ISOLATED(OwnThreadSteps, OneThatPurgesEndsWhereTheProgramGoesOnWithOneThread, "") {
    hak_process_begin();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(start(), ESRCH);
    hak_own_thread_user_begun();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT_EQ(hak_own_thread_start(OWN_THREAD_PUBLISH, other_main), 0);
    HAK_EXPECT_EQ(hak_own_thread_from_ms(OWN_THREAD_PURGE), 0);
    HAK_EXPECT(!hak_own_thread_user_ended());
    HAK_EXPECT_EQ(joins, 0);
    const uint64_t before_ms = hak_os_clock_ms();
    HAK_EXPECT(hak_own_thread_user_ended());
    const uint64_t after_ms = hak_os_clock_ms(), from_ms = hak_own_thread_from_ms(OWN_THREAD_PURGE);
    HAK_EXPECT_EQ(joins, 1);
    HAK_EXPECT_EQ(joined[0], 101);
    HAK_EXPECT(!hak_own_thread_must_end(OWN_THREAD_PUBLISH));
    /* A program whose threads come and go begins and ends one of ours only now and then. */
    HAK_EXPECT(from_ms >= before_ms + 100 && from_ms <= after_ms + 100);
    HAK_EXPECT_EQ(hak_own_thread_from_ms(OWN_THREAD_PUBLISH), 0);
    HAK_EXPECT(!hak_own_thread_user_ended()); /* nobody goes on */
    HAK_EXPECT_EQ(joins, 2);
    HAK_EXPECT_EQ(joined[1], 102);
}

static void end_another(void) { HAK_EXPECT(!hak_own_thread_user_ended()); }

/* Whoever begins it sees that, and ends it. */
HAK_TEST_ISOLATED(OwnThreadSteps, OneThatPurgesEndsWhereOneThreadIsLeftMeanwhile, "") {
    hak_process_begin();
    hak_own_thread_user_begun();
    hak_own_thread_user_begun();
    starting = end_another;
    HAK_EXPECT_EQ(start(), EBUSY);
    HAK_EXPECT_EQ(joins, 1);
    HAK_EXPECT_EQ(joined[0], 101);
}

HAK_TEST_ISOLATED(OwnThreadSteps, RefusedThreadLeavesNothing, ALWAYS) {
    hak_process_begin();
    hak_own_thread_user_begun();
    start_error = EAGAIN;
    HAK_EXPECT_EQ(start(), EAGAIN);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
    hak_own_thread_user_ended();
    HAK_EXPECT_EQ(joins, 0);
    hak_own_thread_user_begun();
    start_error = 0;
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT_EQ(joins, 0);
}

HAK_TEST_ISOLATED(OwnThreadSteps, RefusedPageLeavesNothing, ALWAYS) {
    hak_process_begin();
    hak_own_thread_user_begun();
    refuses_map = refuses_wiped = true;
    HAK_EXPECT_EQ(start(), ENOMEM);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
    /* A kernel that cannot wipe it has a page all the same. */
    refuses_map = false;
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PURGE));
}

/* A sleep takes as long as it is told; a nudge ends one, once. */
HAK_TEST_ISOLATED(OwnThreadSteps, NudgeIsAnsweredOnce, ALWAYS) {
    hak_process_begin();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT(hak_own_thread_sleep(OWN_THREAD_PURGE, 1234));
    HAK_EXPECT_EQ(waits, 1);
    HAK_EXPECT_EQ(waited_ms, 1234);
    const uint32_t *const asked = waited_on;
    HAK_EXPECT_EQ(hak_load_acquire(asked), 0);
    hak_own_thread_nudge(OWN_THREAD_PURGE);
    HAK_EXPECT_EQ(woken, 1);
    HAK_EXPECT_PTR_EQ(waited_on, asked);
    HAK_EXPECT_NE(hak_load_acquire(asked), 0); /* so that no sleep begins in between */
    HAK_EXPECT(!hak_own_thread_must_end(OWN_THREAD_PURGE));
    HAK_EXPECT(hak_own_thread_sleep(OWN_THREAD_PURGE, 1));
    HAK_EXPECT_EQ(hak_load_acquire(asked), 0);
}

HAK_TEST_ISOLATED(OwnThreadSteps, ChildHasNone, ALWAYS) {
    hak_process_begin();
    hak_own_thread_user_begun();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(start(), 0);
    hak_own_thread_fork_child(true);
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT_EQ(joins, 0); /* that of the parent */
    hak_own_thread_fork_child(false);
    HAK_EXPECT_EQ(hak_own_thread_users(), 0);
    HAK_EXPECT_EQ(start(), ESRCH);
}

/* What it allocates makes it no thread of the program. */
HAK_TEST_ISOLATED(OwnThreadSteps, OwnThreadIsNoneOfTheProgram, ALWAYS) {
    hak_process_begin();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(start(), 0);
    HAK_EXPECT(!hak_own_thread_is_current());
    HAK_EXPECT_PTR_EQ(system_main(system_argument),
                      NULL); /* on this thread, which is one of the allocator's from now on */
    HAK_EXPECT_EQ(runs, 1);
    HAK_EXPECT(hak_own_thread_is_current());
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    HAK_EXPECT(!hak_own_thread_user_ended()); /* nobody waited for the end of one */
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    HAK_EXPECT_EQ(joins, 0);
}

/* Two threads have a record, or so it seems, and a child that no handler of fork saw has one of them or none. */
static void begin_before_a_child(void) {
    hak_process_begin();
    wiped_calls = 0;
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(wiped_calls, 0);
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(wiped_calls, 1); /* before there is a child of two threads */
    HAK_EXPECT_EQ(hak_own_thread_unseen_children(), 0);
}

HAK_TEST_ISOLATED(OwnThreadSteps, UnseenChildWithoutARecordHasNoUser, "") {
    begin_before_a_child();
    if (wiped == NULL) HAK_SKIP("the kernel wipes no page in a child");
    wipe();
    HAK_EXPECT_EQ(hak_own_thread_users(), 0);
    HAK_EXPECT_EQ(hak_own_thread_unseen_children(), 1);
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    /* And its child, whose first look is when its thread gets its record. */
    wipe();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    HAK_EXPECT_EQ(hak_own_thread_unseen_children(), 2);
    /* Or when it gives it up. */
    wipe();
    hak_own_thread_user_ended();
    HAK_EXPECT_EQ(hak_own_thread_users(), 0);
    HAK_EXPECT_EQ(hak_own_thread_unseen_children(), 3);
}

HAK_TEST_ISOLATED(OwnThreadSteps, UnseenChildWithARecordHasOneUser, "") {
    begin_before_a_child();
    if (wiped == NULL) HAK_SKIP("the kernel wipes no page in a child");
    hak_free(hak_alloc(16));
    HAK_EXPECT_EQ(hak_own_thread_users(), 3);
    wipe();
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    HAK_EXPECT_EQ(hak_own_thread_unseen_children(), 1);
}

/* While the first thread finds out that it is in a child, it may have begun another one, which counts itself. */
HAK_TEST_ISOLATED(OwnThreadSteps, UnseenChildForgetsNoThreadThatBeginsMeanwhile, "") {
    begin_before_a_child();
    if (wiped == NULL) HAK_SKIP("the kernel wipes no page in a child");
    hak_free(hak_alloc(16));
    wipe();
    naming = hak_own_thread_user_begun;
    HAK_EXPECT_EQ(hak_own_thread_users(), 2);
    HAK_EXPECT_EQ(hak_own_thread_unseen_children(), 1);
}

/* A signal handler forks while a thread of ours is being ended, and goes on in the child. */
HAK_TEST_ISOLATED(OwnThreadSteps, ChildEndsNoThreadOfTheParents, "") {
    begin_before_a_child();
    HAK_EXPECT_EQ(start(), 0);
    if (wiped == NULL) HAK_SKIP("the kernel wipes no page in a child");
    waking = wipe;
    hak_own_thread_user_ended();
    HAK_EXPECT_EQ(woken, 1);
    HAK_EXPECT_EQ(joins, 0);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
}

static uintptr_t gone_before, gone_in_child, gone_beside_another;
static uint32_t children_before, children_then;

static void become_a_child(void) {
    gone_before = hak_own_thread_gone(OWN_THREAD_PURGE);
    children_before = hak_own_thread_unseen_children();
    wipe();
    gone_in_child = hak_own_thread_gone(OWN_THREAD_PURGE);
    children_then = hak_own_thread_unseen_children();
    gone_beside_another = hak_own_thread_gone(OWN_THREAD_PUBLISH);
}

/* Also in a child that no handler of fork saw. */
HAK_TEST_ISOLATED(OwnThreadSteps, IsGoneInAChildOnlyIfItRanInTheParent, ALWAYS) {
    hak_process_begin();
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(hak_own_thread_start(OWN_THREAD_PURGE, become_a_child), 0);
    if (wiped == NULL) HAK_SKIP("the kernel wipes no page in a child");
    HAK_EXPECT_EQ(hak_own_thread_gone(OWN_THREAD_PURGE), 0);
    (void)system_main(system_argument);
    HAK_EXPECT_EQ(gone_before, 0);
    HAK_EXPECT_EQ(gone_in_child, lock_self());
    HAK_EXPECT_EQ(children_before, 0);
    HAK_EXPECT_EQ(children_then, 1);
    HAK_EXPECT_EQ(gone_beside_another, 0);
    /* It has ended, and what it was to locks may be a thread of the child's. */
    wipe();
    HAK_EXPECT_EQ(hak_own_thread_gone(OWN_THREAD_PURGE), 0);
}
