/* SPDX-License-Identifier: MIT */
/* The allocator's own thread: when it is begun, when it ends, what it leaves; and what is asked of the system in vain. By counts
 * of what is asked of the system, never by time: what is freed is due in ten minutes, or at once. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"
#include "tests/harness/threads.h"
#include "tests/integration/leaving.h"

#define MIB ((size_t)1 << 20)
#define CLASS 5
#define LATER "HAKMEM_PURGE_DELAY_MS=600000"
#define SECONDS 300

/* Frees whole chunks below the pools, so that nothing polls. */
static void free_quietly(size_t bytes) {
    struct span span;
    const unsigned chunks = (unsigned)(bytes / HAK_CHUNK_BYTES);
    HAK_ASSERT_TRUE(hak_region_span_alloc(chunks, CLASS, &span) == 0);
    memset(region_chunk_address(span.region, span.first), 1, bytes);
    hak_region_span_free(span.region, span.first, span.count);
}

/* From now on calls of that kind are counted. */
static void count_calls(unsigned kind) {
    os_fake_reset();
    os_fake_fail_only(kind);
}

static void allocate_and_free(void) {
    static void *blocks[16];
    for (unsigned i = 0; i < 16; i++) blocks[i] = hak_alloc(500000);
    for (unsigned i = 0; i < 16; i++) hak_free(blocks[i]);
}

HAK_TEST_ISOLATED(OwnThread, ProcessOfOneThreadStaysOne, LATER) {
    count_calls(OS_FAKE_START_THREAD);
    allocate_and_free();
    hak_thread_flush();
    HAK_EXPECT_EQ(hak_own_thread_users(), 1);
    HAK_EXPECT_EQ(os_fake_calls(), 0);
}

HAK_TEST_ISOLATED(OwnThread, IsBegunOnceWhereTheOptionWantsIt, LATER " HAKMEM_PURGE_THREAD=1") {
    count_calls(OS_FAKE_START_THREAD);
    allocate_and_free();
    allocate_and_free();
    HAK_EXPECT_EQ(os_fake_calls(), 1);
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PURGE));
}

static pthread_barrier_t barrier;

static void live(void *argument, unsigned index) {
    (void)index;
    hak_free(hak_alloc(100));
    pthread_barrier_wait(&barrier);
    if (argument != NULL) ((void (*)(void))argument)();
    pthread_barrier_wait(&barrier);
}

/* One of two threads does it, the other waits. */
static void beside_another(void (*act)(void)) {
    struct threads threads;
    hak_free(hak_alloc(100));
    pthread_barrier_init(&barrier, NULL, 2);
    threads_start(&threads, 1, live, NULL);
    pthread_barrier_wait(&barrier);
    act();
    pthread_barrier_wait(&barrier);
    threads_join(&threads);
}

HAK_TEST_ISOLATED(OwnThread, IsBegunWhereThereAreSeveral, LATER) {
    count_calls(OS_FAKE_START_THREAD);
    beside_another(allocate_and_free);
    HAK_EXPECT_EQ(os_fake_calls(), 1);
}

HAK_TEST_ISOLATED(OwnThread, IsBegunOnlyNowAndThenWhereThreadsComeAndGo, LATER) {
    count_calls(OS_FAKE_START_THREAD);
    const uint64_t start = hak_os_clock_ms();
    for (unsigned i = 0; i < 20; i++) {
        beside_another(allocate_and_free);
        HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
    }
    HAK_EXPECT_GE(os_fake_calls(), 1);
    HAK_EXPECT_LE(os_fake_calls(), 1 + (hak_os_clock_ms() - start) / 100);
}

/* Four mappings of 16 MiB each, as free_quietly does. */
static void free_much_quietly(void) {
    void *starts[4];
    bool zeroed;
    for (unsigned i = 0; i < 4; i++) {
        HAK_ASSERT_TRUE(hak_kept_alloc(16 * MIB, HAK_CHUNK_BYTES, &starts[i], &zeroed) == 0);
        memset(starts[i], 1, 16 * MIB);
    }
    for (unsigned i = 0; i < 4; i++) hak_kept_free(starts[i], 16 * MIB);
}

static void free_much_behind_its_back(void) {
    allocate_and_free();
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PURGE));
    free_much_quietly();
}

/* The one that goes on may sleep for ever. */
HAK_TEST_ISOLATED(OwnThread, WhatMayNotWaitGoesBackWhereOneThreadGoesOn, LATER) {
    beside_another(free_much_behind_its_back);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
    HAK_EXPECT_LE(hak_purge_waiting_bytes(), 16 * MIB);
}

/* Though one has just been ended. */
HAK_TEST_ISOLATED(OwnThread, IsBegunAtOnceWhereMuchWaits, LATER) {
    count_calls(OS_FAKE_START_THREAD);
    beside_another(allocate_and_free);
    free_much_quietly();
    beside_another(allocate_and_free);
    HAK_EXPECT_EQ(os_fake_calls(), 2);
}

HAK_TEST_ISOLATED(OwnThread, IsNeverBegunWhereTheOptionSaysSo, LATER " HAKMEM_PURGE_THREAD=0") {
    count_calls(OS_FAKE_START_THREAD);
    beside_another(allocate_and_free);
    HAK_EXPECT_EQ(os_fake_calls(), 0);
}

HAK_TEST_ISOLATED(OwnThread, IsNotAskedForAgainAtOnceWhereItIsRefused, LATER " HAKMEM_PURGE_THREAD=1") {
    count_calls(OS_FAKE_START_THREAD);
    os_fake_fail_from(1);
    free_quietly(4 * MIB);
    const uint64_t start = hak_os_clock_ms();
    for (unsigned i = 0; i < 100; i++) purge_poll(&free_quietly);
    /* Once a second. */
    HAK_EXPECT_LE(os_fake_calls(), 1 + (hak_os_clock_ms() - start) / 1000);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
}

HAK_TEST_ISOLATED(OwnThread, CallsOfTheCLibraryBeginNone, LATER " HAKMEM_PURGE_THREAD=1") {
    hak_free(hak_alloc(100));
    free_quietly(4 * MIB);
    count_calls(OS_FAKE_START_THREAD);
    HAK_ASSERT_TRUE(hak_os_knows_c_library());
    const void *in_c_library = dlsym(RTLD_DEFAULT, "labs"); /* which no sanitizer has, too */
    purge_poll(in_c_library);
    purge_poll_alloc(in_c_library);
    purge_poll(NULL);
    HAK_EXPECT_EQ(os_fake_calls(), 0);
    purge_poll((const void *)&free_quietly);
    HAK_EXPECT_EQ(os_fake_calls(), 1);
}

static uint32_t ended; /* atomic */

static void sleep_until_the_end(void) {
    while (hak_own_thread_sleep(OWN_THREAD_PUBLISH, 600000)) {
    }
    hak_store_release(&ended, 1u);
    hak_own_thread_leave(OWN_THREAD_PUBLISH);
}

HAK_TEST_ISOLATED(OwnThread, LastThreadOfTheProgramEndsItAndWaits, LATER) {
    hak_free(hak_alloc(100));
    HAK_ASSERT_TRUE(hak_own_thread_start(OWN_THREAD_PUBLISH, sleep_until_the_end) == 0);
    HAK_EXPECT_EQ(hak_own_thread_start(OWN_THREAD_PUBLISH, sleep_until_the_end), EBUSY);
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PUBLISH));
    hak_own_thread_user_ended(); /* as this thread's end does */
    HAK_EXPECT_EQ(hak_load_acquire(&ended), 1);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PUBLISH));
    HAK_EXPECT_EQ(hak_own_thread_start(OWN_THREAD_PUBLISH, sleep_until_the_end), ESRCH);
    hak_own_thread_user_begun();
    HAK_EXPECT_EQ(hak_own_thread_start(OWN_THREAD_PUBLISH, sleep_until_the_end), 0);
}

static void leave_at_once(void) { hak_own_thread_leave(OWN_THREAD_PUBLISH); }

static bool has_left(void *unused) {
    (void)unused;
    return !hak_own_thread_runs(OWN_THREAD_PUBLISH);
}

HAK_TEST_ISOLATED(OwnThread, MayBeBegunAgainWhenItHasLeft, LATER) {
    hak_free(hak_alloc(100));
    for (unsigned i = 0; i < 20; i++) {
        HAK_ASSERT_TRUE(hak_own_thread_start(OWN_THREAD_PUBLISH, leave_at_once) == 0);
        HAK_ASSERT_TRUE(system_wait_until(has_left, NULL, SECONDS));
    }
}

/* ---- The last look ---- */

static uint32_t leavings; /* atomic */

/* Another thread frees, and polls, when the thread has found nothing to do and has not said yet that it ends. */
static void free_before_it_leaves(void) {
    if (hak_fetch_add_relaxed(&leavings, 1u) == 0) {
        free_quietly(2 * MIB);
        purge_poll(&free_quietly);
        HAK_EXPECT_EQ(hak_purge_waiting_bytes(), 2 * MIB);
    }
}

static bool it_looked(void *unused) {
    (void)unused;
    return hak_load_relaxed(&leavings) >= 2 && hak_purge_waiting_bytes() == 0;
}

HAK_TEST_ISOLATED(OwnThread, LooksOnceMoreWhenItHasSaidThatItEnds, "HAKMEM_PURGE_DELAY_MS=1 HAKMEM_PURGE_THREAD=1") {
    hak_free(hak_alloc(100));
    hak_trim();
    hak_store_release(&before_leaving, &free_before_it_leaves);
    /* With so short a delay a poll may do it itself. */
    while (!hak_own_thread_runs(OWN_THREAD_PURGE) && hak_load_relaxed(&leavings) == 0) {
        free_quietly(2 * MIB);
        purge_poll(&free_quietly);
    }
    HAK_EXPECT(system_wait_until(it_looked, NULL, SECONDS));
}

static sem_t may_free, has_freed, may_end;
static void *in_use, *freed_late;

/* What another thread frees, and beside what it may wait. */
static void prepare_late(void) {
    in_use = hak_alloc(100 * MIB);
    freed_late = hak_alloc(40 * MIB);
    HAK_ASSERT_TRUE(in_use != NULL && freed_late != NULL);
}

/* A thread that begins when ours has been told to end. */
static void *free_late(void *unused) {
    sem_wait(&may_free);
    hak_free(hak_alloc(100));
    hak_free(freed_late);
    sem_post(&has_freed);
    sem_wait(&may_end);
    return unused;
}

static void have_it_freed(void) {
    hak_store_release(&before_leaving, (void (*)(void))NULL);
    sem_post(&may_free);
    sem_wait(&has_freed);
}

static void *begin_it_and_end(void *unused) {
    allocate_and_free();
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PURGE));
    hak_store_release(&before_leaving, &have_it_freed);
    return unused;
}

/* `end` ends our thread, while another of the program's begins and leaves to ours, which runs and does nothing any more, what it frees. That
 * would wait for a poll, and nobody calls the allocator again. */
static void expect_that_it_is_begun_again(void *(*end)(void *), uint32_t users) {
    pthread_t ending, beginning;
    HAK_ASSERT_TRUE(sem_init(&may_free, 0, 0) == 0 && sem_init(&has_freed, 0, 0) == 0 && sem_init(&may_end, 0, 0) == 0);
    HAK_ASSERT_TRUE(pthread_create(&ending, NULL, end, NULL) == 0);
    HAK_ASSERT_TRUE(pthread_create(&beginning, NULL, free_late, NULL) == 0);
    HAK_EXPECT_EQ(pthread_join(ending, NULL), 0);
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PURGE));
    HAK_EXPECT_EQ(hak_own_thread_users(), users);
    HAK_EXPECT_GE(hak_purge_waiting_bytes(), 40 * MIB);
    sem_post(&may_end);
    HAK_EXPECT_EQ(pthread_join(beginning, NULL), 0);
    HAK_EXPECT(!hak_own_thread_runs(OWN_THREAD_PURGE));
    hak_free(in_use);
}

HAK_TEST_ISOLATED(OwnThread, IsBegunAgainWhereAThreadBeganWhileItWasEnded, LATER) {
    hak_free(hak_alloc(100));
    prepare_late();
    expect_that_it_is_begun_again(begin_it_and_end, 2);
}

static void *begin_it_alone_and_end(void *unused) {
    prepare_late();
    return begin_it_and_end(unused);
}

/* The main thread has no record here: none is left when the one ends that has. */
HAK_TEST_ISOLATED(OwnThread, IsBegunAgainWhereTheFirstOfTheNextThreadsBeganWhileItWasEnded,
                  LATER " HAKMEM_PURGE_THREAD=1") {
    expect_that_it_is_begun_again(begin_it_alone_and_end, 1);
}

/* ---- Children ---- */

/* The look is a thread's that the child does not have. */
HAK_TEST_ISOLATED(OwnThread, ChildLooksForWhatWaits, LATER) {
    hak_free(hak_alloc(100));
    free_quietly(2 * MIB);
    HAK_ASSERT_TRUE(hak_decay_take());
    HAK_EXPECT(!hak_decay_is_due());
    HAK_EXPECT_EXIT_OK(HAK_EXPECT(hak_decay_is_due()));
}

/* Status of what `check` says in a child that no handler sees. */
static int in_raw_child(bool (*check)(void)) {
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(check() ? 0 : 1);
    int status = -1;
    HAK_EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

static bool knows_that_it_is_alone(void) {
    return !hak_own_thread_runs(OWN_THREAD_PURGE) && hak_own_thread_users() == 1;
}

static void clone_beside_the_thread(void) {
    allocate_and_free();
    HAK_EXPECT(hak_own_thread_runs(OWN_THREAD_PURGE));
    HAK_EXPECT_EQ(hak_own_thread_users(), 2);
    HAK_EXPECT_EQ(in_raw_child(knows_that_it_is_alone), 0);
    HAK_EXPECT_EXIT_OK(HAK_EXPECT(knows_that_it_is_alone()));
}

HAK_TEST_ISOLATED(OwnThread, ChildThatNoHandlerSawKnowsThatItIsAlone, LATER) {
    beside_another(clone_beside_the_thread);
}

/* ---- Refusals ---- */

HAK_TEST_ISOLATED(OwnThread, RefusedChunksStayDirtyAndAreNotAskedForAgain, LATER) {
    hak_free(hak_alloc(100));
    hak_trim();
    free_quietly(4 * MIB);
    count_calls(OS_FAKE_PURGE);
    os_fake_fail_from(1);
    HAK_EXPECT_EQ(hak_region_purge(DECAY_ALL_NEW), 0);
    const uint64_t calls = os_fake_calls();
    HAK_EXPECT_GE(calls, 1);
    HAK_EXPECT_EQ(hak_region_purge(DECAY_ALL_NEW), 0);
    HAK_EXPECT_EQ(os_fake_calls(), calls);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), 4 * MIB);
    HAK_EXPECT_EQ(hak_region_refused_bytes(), 4 * MIB);
    /* Nobody looks for them, but who wants everything. */
    (void)hak_decay_take();
    purge_poll(NULL);
    HAK_EXPECT(!hak_decay_is_due());
    struct span span;
    HAK_ASSERT_TRUE(hak_region_span_alloc(4, CLASS, &span) == 0);
    HAK_EXPECT(!span.zeroed);
    HAK_EXPECT_EQ(hak_region_refused_bytes(), 4 * MIB - 4 * HAK_CHUNK_BYTES);
    hak_region_span_free(span.region, span.first, span.count);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_trim(), 4 * MIB);
    HAK_EXPECT_EQ(hak_region_refused_bytes(), 0);
}

HAK_TEST_ISOLATED(OwnThread, NoLookFollowsARefusal, "HAKMEM_PURGE_DELAY_MS=0") {
    hak_free(hak_alloc(100));
    hak_trim();
    free_quietly(4 * MIB);
    count_calls(OS_FAKE_PURGE);
    os_fake_fail_from(1);
    HAK_EXPECT(hak_decay_is_due());
    purge_poll(NULL);
    HAK_EXPECT_GE(os_fake_calls(), 1);
    HAK_EXPECT(!hak_decay_is_due());
    HAK_EXPECT_EQ(hak_purge_waiting_bytes(), 4 * MIB);
}

HAK_TEST_ISOLATED(OwnThread, RefusedMappingsStayAndAreNotAskedForAgain, LATER) {
    void *start;
    bool zeroed;
    hak_free(hak_alloc(100));
    hak_trim();
    HAK_ASSERT_TRUE(hak_kept_alloc(4 * MIB, HAK_CHUNK_BYTES, &start, &zeroed) == 0);
    memset(start, 1, 4 * MIB);
    hak_kept_free(start, 4 * MIB);
    count_calls(OS_FAKE_PURGE | OS_FAKE_UNMAP);
    os_fake_fail_from(1);
    HAK_EXPECT_EQ(hak_kept_purge(DECAY_EVERYTHING), 0);
    HAK_EXPECT_EQ(os_fake_calls(), 2);
    HAK_EXPECT_EQ(hak_kept_purge(DECAY_ALL_NEW), 0);
    HAK_EXPECT_EQ(os_fake_calls(), 2);
    HAK_EXPECT_EQ(hak_kept_refused_bytes(), 4 * MIB);
    HAK_ASSERT_TRUE(hak_kept_alloc(4 * MIB, HAK_CHUNK_BYTES, &start, &zeroed) == 0);
    HAK_EXPECT(!zeroed);
    hak_kept_free(start, 4 * MIB);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_kept_purge(DECAY_ALL_NEW), 4 * MIB);
}

/* ---- Pieces ---- */

/* A fork waits for one of them at most. */
HAK_TEST_ISOLATED(OwnThread, PurgesInPieces, LATER) {
    void *start;
    bool zeroed;
    hak_free(hak_alloc(100));
    hak_trim();
    free_quietly(16 * MIB);
    HAK_ASSERT_TRUE(hak_kept_alloc(32 * MIB, HAK_CHUNK_BYTES, &start, &zeroed) == 0);
    hak_kept_free(start, 32 * MIB);
    struct decay_pass pass = {.freed_until_ms = DECAY_EVERYTHING, .class_index = 1};
    unsigned pieces = 0;
    size_t purged = 0;
    for (bool is_over = false; !is_over; pieces++) {
        pass.left = 4 * MIB;
        is_over = hak_region_purge_piece(&pass) && hak_kept_purge_piece(&pass);
        HAK_EXPECT_LE(pass.purged - purged, 4 * MIB);
        purged = pass.purged;
    }
    HAK_EXPECT_EQ(purged, 48 * MIB);
    HAK_EXPECT_GE(pieces, 12);
    HAK_EXPECT_EQ(hak_purge_waiting_bytes(), 0);
}
