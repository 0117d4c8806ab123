/* SPDX-License-Identifier: MIT */
/* Ranked locks that know their owner.
 *
 * Every lock of hakmem is one of these. Its rank says when it may be taken: a thread takes locks in strictly ascending
 * rank, hence no cycle and no deadlock. Debug builds keep the held locks of each thread and abort at the first
 * acquisition out of order, whether or not it would have deadlocked this time.
 *
 * A lock is one word: 0, or an address that identifies the owner together with two flags. Acquire and release are one
 * atomic step each, so a signal handler sees that its thread holds a lock or does not, never a state in between. Fork
 * needs that, because a handler that interrupted malloc may call it (lock_fork_*), and no mutex of the C library offers
 * it. A thread that finds the lock taken spins briefly and then sleeps on the word (a private futex): the wait is
 * short, because a holder only ever waits for the next lock or the kernel.
 *
 * No function here allocates or changes errno. */
#ifndef HAKMEM_BASE_LOCK_H
#define HAKMEM_BASE_LOCK_H

#include "hakmem/base/assert.h"
#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/flags/debug.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The lock order: ascending. */
enum hak_lock_rank {
    HAK_RANK_PURGE = 1, /* a purge in progress */
    HAK_RANK_THREADS,   /* list of thread records */
    HAK_RANK_SHARED,    /* magazine of the threads that have none of their own */
    HAK_RANK_GUARD,     /* quarantines of the full guard build; many locks, one at a time */
    HAK_RANK_PROFILE,   /* sampled blocks of one class; many locks, one at a time or all, by ascending address */
    HAK_RANK_RECORDS,   /* new records of the profile */
    HAK_RANK_CLASS,     /* partial slabs of one class; many locks, one at a time */
    HAK_RANK_HUGE,      /* huge blocks */
    HAK_RANK_REGION,    /* regions, chunks, spans; kept mappings */
    HAK_RANK_ZERO_SIZE, /* blocks of size 0 of the full guard build */
};

/* Flags of the word, below the owner's address. */
#define LOCK_WAITERS ((uintptr_t)1) /* a thread may sleep on the word */
#define LOCK_FORK ((uintptr_t)2)    /* taken by hak_lock_fork_acquire: the guarded data are consistent */
#define LOCK_FLAGS (LOCK_WAITERS | LOCK_FORK)

struct hak_lock {
    uintptr_t word;          /* atomic */
    enum hak_lock_rank rank; /* constant after init */
};

#define HAK_LOCK_INITIALIZER(rank) \
    { 0, (rank) }

void hak_lock_init(struct hak_lock *lock, enum hak_lock_rank rank);

/* Releases the lock if `owner` holds it, which is lock_self() of a thread that this process does not have; 0 is nobody. pre: that
 * thread left what the lock guards whole */
void hak_lock_release_of(struct hak_lock *lock, uintptr_t owner);

/* Whether the holder that a lock's word names is a thread that this process does not have, and left what the lock guards whole. NULL: no.
 * Atomic. A child that no handler of fork saw has none of the parent's other threads. Those of our own are known (process/own_thread.c,
 * which sets this before the first of them begins): whoever would wait for one that is not there releases the lock in its place. */
extern bool (*hak_lock_was_left)(const struct hak_lock *lock, uintptr_t word);

/* Its address identifies the thread. Its value is the lock whose other waiters depend on this thread, because it is
 * about to wake one of them or was the one that was woken. */
extern HAK_THREAD_LOCAL struct hak_lock *hak_lock_depended_on;

HAK_ALWAYS_INLINE uintptr_t lock_self(void) { return (uintptr_t)&hak_lock_depended_on; }

/* The check of the lock order. Only debug builds call these functions. */
void hak_lock_debug_push(const struct hak_lock *lock);
void hak_lock_debug_expect_held(const struct hak_lock *lock);
void hak_lock_debug_pop(const struct hak_lock *lock);
bool hak_lock_debug_is_held(const struct hak_lock *lock);

/* Whether this thread holds or waits for a lock that it did not take for a fork. Only debug builds know. */
bool hak_lock_debug_holds_any(void);

HAK_COLD void hak_lock_acquire_slow(struct hak_lock *lock);
HAK_COLD void hak_lock_release_slow(struct hak_lock *lock);

/* Acquires the lock. The thread that forks may also acquire a lock that it already holds for the fork, because the
 * program's fork handlers may allocate. pre: every other lock that this thread holds is of a lower rank */
HAK_ALWAYS_INLINE void lock_acquire(struct hak_lock *lock) {
    /* Before the acquisition, so that a wrong order is reported even if it deadlocks. */
    if (HAK_DEBUG) hak_lock_debug_push(lock);
    uintptr_t free_word = 0;
    /* Acquire-release: pairs with the release below. */
    if (HAK_UNLIKELY(!hak_compare_exchange_acq_rel(&lock->word, &free_word, lock_self()))) {
        hak_lock_acquire_slow(lock);
    }
    contention_acquired(lock, lock->rank);
    DISTURB();
}

/* Releases the lock. Locks may be released in any order. pre: this thread holds the lock */
HAK_ALWAYS_INLINE void lock_release(struct hak_lock *lock) {
    DISTURB();
    if (HAK_DEBUG) hak_lock_debug_expect_held(lock);
    contention_released(lock, lock->rank);
    uintptr_t own_word = lock_self();
    /* Acquire-release: publishes what was written under the lock to the next holder. */
    if (HAK_UNLIKELY(!hak_compare_exchange_acq_rel(&lock->word, &own_word, (uintptr_t)0))) {
        hak_lock_release_slow(lock);
    }
    /* After the release: a handler that comes in between is still told that it interrupted the allocator. */
    if (HAK_DEBUG) hak_lock_debug_pop(lock);
}

HAK_ALWAYS_INLINE void lock_assert_held(const struct hak_lock *lock) { HAK_ASSERT(hak_lock_debug_is_held(lock)); }

/* ---- Around fork ----
 *
 * Each layer offers one function that visits its locks in ascending rank; process/fork.c calls it once with each of the
 * functions below. */

/* More than a thread holds at once: all locks of the profile, and one of each other rank. */
#define LOCK_FORK_OWN_MAX 256

/* The state of a fork, from the first note to the last acquire. */
struct lock_fork {
    struct hak_lock *own[LOCK_FORK_OWN_MAX]; /* this thread held them before; fork interrupted it in a handler */
    unsigned own_count;
    bool is_half; /* a lock was not acquired: its holder may wait for one of `own`, so waiting for it could deadlock */
};

typedef void lock_visit(struct hak_lock *lock, struct lock_fork *fork);

/* Called first. Lets threads go on that wait for a wake-up which the fork has interrupted. */
void hak_lock_fork_begin(struct lock_fork *fork);

/* Adds the lock to fork->own if this thread holds it. */
void hak_lock_fork_note(struct hak_lock *lock, struct lock_fork *fork);

/* Whether this thread holds one of fork->own for anything but a fork: a call that acquires it again waits for ever. pre: all
 * locks were noted */
bool hak_lock_fork_would_wait(const struct lock_fork *fork);

/* Acquires the lock unless this thread holds it; in any order. pre: all locks were noted */
void hak_lock_fork_acquire(struct hak_lock *lock, struct lock_fork *fork);

/* Release what hak_lock_fork_acquire acquired; the second, for the child, also releases what other threads had acquired
 * for their own forks. `fork` is not used. */
void hak_lock_fork_release(struct hak_lock *lock, struct lock_fork *fork);
void hak_lock_fork_release_child(struct hak_lock *lock, struct lock_fork *fork);

/* Releases the lock where hak_lock_was_left says so. `fork` is not used. */
void hak_lock_release_left(struct hak_lock *lock, struct lock_fork *fork);

/* Called in the child: whether the lock can be acquired. It cannot if the fork interrupted its holder, or if its holder
 * does not exist in the child. */
bool hak_lock_is_free(const struct hak_lock *lock);

#ifdef __cplusplus
}
#endif

#endif
