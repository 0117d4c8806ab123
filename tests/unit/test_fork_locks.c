/* SPDX-License-Identifier: MIT */
/* Every lock of the allocator is among those that a fork takes: a thread that holds one is found to hold it. */
#include "hakmem/base/config.h"
#include "hakmem/base/lock.h"
#include "hakmem/flags/guard.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/process/fork.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "hakmem/sample/profile.h"
#include "hakmem/slab/partial.h"
#include "tests/harness/harness.h"

#define LOCKS_MOST 1024u

static struct hak_lock *locks[LOCKS_MOST];
static unsigned lock_count;

static void note(struct hak_lock *lock, struct lock_fork *fork) {
    (void)fork;
    HAK_EXPECT_LT(lock_count, LOCKS_MOST);
    locks[lock_count++] = lock;
}

/* What each module says of its own. */
static void note_all(void) {
    hak_purge_fork_locks(note, NULL);
    hak_thread_fork_locks(note, NULL);
    hak_shared_fork_locks(note, NULL);
    if (HAK_GUARD_FULL) hak_quarantine_fork_locks(note, NULL);
    hak_profile_fork_locks(note, NULL);
    hak_partial_fork_locks(note, NULL);
    hak_huge_fork_locks(note, NULL);
    hak_region_fork_locks(note, NULL);
    hak_kept_fork_locks(note, NULL);
    if (HAK_GUARD_FULL) hak_zero_size_fork_locks(note, NULL);
}

static unsigned locks_of(unsigned rank) {
    unsigned count = 0;
    for (unsigned i = 0; i < lock_count; i++) count += (unsigned)locks[i]->rank == rank;
    return count;
}

/* What lies on the stack where the next call has its variables is not 0. */
__attribute__((noinline)) static void soil_stack(void) {
    volatile unsigned char bytes[16384];
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = 0xA5;
}

static bool would_interrupt(void) {
    soil_stack();
    return hak_fork_would_interrupt();
}

static bool would_wait(void) {
    soil_stack();
    return hak_fork_would_wait();
}

/* No poll may purge meanwhile. */
HAK_TEST_ISOLATED(ForkLocks, EachIsLookedAt, "HAKMEM_PURGE_DELAY_MS=-1") {
    hak_free(hak_alloc(16));
    note_all();
    HAK_EXPECT_GT(lock_count, 10);
    HAK_EXPECT_EQ(locks_of(HAK_RANK_GUARD), HAK_GUARD_FULL ? (HAK_CLASS_COUNT - 1) * QUARANTINE_LANES + 1 : 0);
    HAK_EXPECT(!would_interrupt());
    HAK_EXPECT(!would_wait());
    for (unsigned i = 0; i < lock_count; i++) {
        lock_acquire(locks[i]);
        const bool interrupts = would_interrupt(), waits = would_wait();
        lock_release(locks[i]);
        if (!interrupts || !waits) harness_fail(__FILE__, __LINE__, "lock %u of rank %u", i, (unsigned)locks[i]->rank);
    }
    HAK_EXPECT(!would_interrupt());
    HAK_EXPECT(!would_wait());
}
