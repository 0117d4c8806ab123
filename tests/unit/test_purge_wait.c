/* SPDX-License-Identifier: MIT */
/* Whoever purges much makes way for a poll of another thread between two of its pieces. The linker sends the steps of both through this
 * file, so that the other thread waits when the piece ends, and whoever sleeps does so until it has polled. */
#include <pthread.h>
#include <sched.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/idle.h"
#include "hakmem/os/os.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/decay.h"
#include "tests/harness/harness.h"

#define ALONE "HAKMEM_PURGE_DELAY_MS=0 HAKMEM_PURGE_THREAD=0"

static HAK_THREAD_LOCAL bool polls;           /* the calling thread is the other one */
static bool is_waiting, may_take, has_polled; /* atomic; of the other one */
static unsigned pieces, sleeps;               /* of the thread of the test */
static bool has_polled_by_then;               /* likewise; before the second piece */
static void (*in_first_piece)(void), (*in_sleep)(void);

void __real_hak_lock_acquire_slow(struct hak_lock *lock);
void __wrap_hak_lock_acquire_slow(struct hak_lock *lock);
void __wrap_hak_os_sleep_ms(uint64_t duration_ms);
bool __wrap_hak_idle_take_slabs(struct decay_pass *pass);

static void wait_for(const bool *flag) {
    while (!hak_load_acquire(flag)) sched_yield();
}

/* Whoever takes the lock again at once always comes before whoever waits for it. */
void __wrap_hak_lock_acquire_slow(struct hak_lock *lock) {
    if (polls && lock->rank == HAK_RANK_PURGE) {
        hak_store_release(&is_waiting, true);
        wait_for(&may_take);
    }
    __real_hak_lock_acquire_slow(lock);
}

void __wrap_hak_os_sleep_ms(uint64_t duration_ms) {
    (void)duration_ms;
    if (polls || in_first_piece == NULL) return;
    sleeps++;
    if (in_sleep != NULL) in_sleep();
    hak_store_release(&may_take, true);
    wait_for(&has_polled);
}

/* Slabs of idle threads, for which a piece ends early, are found once. */
bool __wrap_hak_idle_take_slabs(struct decay_pass *pass) {
    pass->has_begun_idle = true;
    if (polls || in_first_piece == NULL) return true;
    if (pieces++ == 0) {
        in_first_piece();
        return false;
    }
    has_polled_by_then = hak_load_acquire(&has_polled);
    hak_store_release(&may_take, true);
    return true;
}

static void *poll(void *argument) {
    polls = true;
    hak_decay_schedule(1);
    hak_purge_poll_due(NULL);
    hak_store_release(&has_polled, true);
    return argument;
}

static pthread_t other;

static void have_another_poll(void) {
    HAK_EXPECT_EQ(pthread_create(&other, NULL, poll, NULL), 0);
    wait_for(&is_waiting);
}

HAK_TEST_ISOLATED(PurgeWait, APollWaitsForOnePieceOfAnothersPurge, ALONE) {
    hak_free(hak_alloc(16));
    in_first_piece = have_another_poll;
    (void)hak_purge_all();
    HAK_EXPECT(has_polled_by_then);
    HAK_EXPECT_EQ(sleeps, 1);
    HAK_EXPECT_EQ(pieces, 2);
    HAK_EXPECT_EQ(pthread_join(other, NULL), 0);
}

static void have_nobody_poll(void) {}

HAK_TEST_ISOLATED(PurgeWait, MakesNoWayWhereNobodyWaits, ALONE) {
    hak_free(hak_alloc(16));
    in_first_piece = have_nobody_poll;
    (void)hak_purge_all();
    HAK_EXPECT_EQ(sleeps, 0);
    HAK_EXPECT_EQ(pieces, 2);
}

/* Who waits in the parent is not there in its child. */
static void expect_no_way_made(void) {
    in_sleep = NULL;
    in_first_piece = have_nobody_poll;
    hak_store_release(&has_polled, true);
    pieces = sleeps = 0;
    (void)hak_purge_all();
    HAK_EXPECT_EQ(sleeps, 0);
    HAK_EXPECT_EQ(pieces, 2);
}

static void have_a_child_purge(void) { HAK_EXPECT_EXIT_OK(expect_no_way_made()); }

HAK_TEST_ISOLATED(PurgeWait, ChildMakesNoWayForThreadsOfItsParent, ALONE) {
    hak_free(hak_alloc(16));
    in_first_piece = have_another_poll;
    in_sleep = have_a_child_purge;
    (void)hak_purge_all();
    HAK_EXPECT_EQ(sleeps, 1);
    HAK_EXPECT_EQ(pthread_join(other, NULL), 0);
}
