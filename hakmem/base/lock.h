/* SPDX-License-Identifier: MIT */
/* Locks with ranks, whose owner is known.
 *
 * Every lock of hakmem is one of these. Its rank says when it may be taken: a thread takes locks in strictly
 * ascending rank, hence no cycle and no deadlock. Debug builds keep the held locks of each thread and abort at
 * the first acquisition out of order, whether or not it would have deadlocked this time.
 *
 * A lock is one word: 0, or the address that stands for its owner together with two flags. Taking and releasing it are
 * one atomic step each, so that a signal handler finds either that its thread holds a lock or that it does not, and never
 * something in between. That is what fork needs, which may be called in a handler that interrupted malloc (lock_fork_*), and
 * what no mutex of the C library says. Who finds the lock taken spins briefly, then sleeps on the word (a private futex),
 * because no holder ever waits for anything but the next lock or the kernel.
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

/* In the order in which they may be taken. */
enum hak_lock_rank {
    HAK_RANK_PURGE = 1, /* a purge in progress */
    HAK_RANK_THREADS,   /* list of thread records */
    HAK_RANK_SHARED,    /* magazine of the threads that have none of their own */
    HAK_RANK_GUARD,     /* quarantines of the full guard build, and its blocks of size 0; many locks, one at a time */
    HAK_RANK_PROFILE,   /* sampled blocks */
    HAK_RANK_CLASS,     /* partial slabs of one class; many locks, one at a time */
    HAK_RANK_HUGE,      /* huge blocks */
    HAK_RANK_REGION,    /* regions, chunks, spans; kept mappings */
};

/* Flags of the word, below the owner's address. */
#define LOCK_WAITERS ((uintptr_t)1) /* somebody may sleep on the word */
#define LOCK_FORK ((uintptr_t)2)    /* taken by hak_lock_fork_acquire: what it guards is whole */
#define LOCK_FLAGS (LOCK_WAITERS | LOCK_FORK)

struct hak_lock {
    uintptr_t word;          /* atomic */
    enum hak_lock_rank rank; /* constant after init */
};

#define HAK_LOCK_INITIALIZER(rank) \
    { 0, (rank) }

void hak_lock_init(struct hak_lock *lock, enum hak_lock_rank rank);

/* The address stands for the thread; at it is the lock whose other waiters depend on this thread: it is about to wake one of
 * them, or was woken in their place. */
extern HAK_THREAD_LOCAL struct hak_lock *hak_lock_depended_on;

HAK_ALWAYS_INLINE uintptr_t lock_self(void) { return (uintptr_t)&hak_lock_depended_on; }

/* The debug half: only debug builds call it. */
void hak_lock_debug_push(const struct hak_lock *lock);
void hak_lock_debug_pop(const struct hak_lock *lock);
bool hak_lock_debug_is_held(const struct hak_lock *lock);

HAK_COLD void hak_lock_acquire_slow(struct hak_lock *lock);
HAK_COLD void hak_lock_release_slow(struct hak_lock *lock);

/* Around a fork its thread passes the locks that it took for it: fork handlers of the program may allocate.
 * pre: every other lock that this thread holds is of a lower rank */
HAK_ALWAYS_INLINE void lock_acquire(struct hak_lock *lock) {
    /* Before the word, so that a wrong order is reported even where it deadlocks. */
    if (HAK_DEBUG) hak_lock_debug_push(lock);
    uintptr_t free_word = 0;
    /* Acquire-release: pairs with the release below. */
    if (HAK_UNLIKELY(!hak_compare_exchange_acq_rel(&lock->word, &free_word, lock_self()))) {
        hak_lock_acquire_slow(lock);
    }
}

/* pre: this thread holds the lock; the order of releases is free */
HAK_ALWAYS_INLINE void lock_release(struct hak_lock *lock) {
    if (HAK_DEBUG) hak_lock_debug_pop(lock);
    uintptr_t own_word = lock_self();
    /* Acquire-release: what was done under the lock is there for the next one. */
    if (HAK_UNLIKELY(!hak_compare_exchange_acq_rel(&lock->word, &own_word, (uintptr_t)0))) {
        hak_lock_release_slow(lock);
    }
}

HAK_ALWAYS_INLINE void lock_assert_held(const struct hak_lock *lock) { HAK_ASSERT(hak_lock_debug_is_held(lock)); }

/* ---- Around fork ----
 *
 * A layer offers one function that visits its locks in the order in which they may be taken; process/fork.c calls it with the
 * functions below, one after the other. */

/* A fork's view of the locks, from note to the last acquire. */
struct lock_fork {
    struct hak_lock *own[HAK_RANK_REGION]; /* held by this thread already: the fork interrupted what took them */
    unsigned own_count;
    bool is_half; /* some lock could not be had: its holder was not waited for, since it may wait for one of `own` */
};

typedef void lock_visit(struct hak_lock *lock, struct lock_fork *fork);

/* First: others go on that waited for what the fork has interrupted. */
void hak_lock_fork_begin(struct lock_fork *fork);

/* Notes whether this thread holds the lock. */
void hak_lock_fork_note(struct hak_lock *lock, struct lock_fork *fork);

/* Takes the lock but where this thread holds it; in any order. pre: all were noted */
void hak_lock_fork_acquire(struct hak_lock *lock, struct lock_fork *fork);

/* Releases what hak_lock_fork_acquire took; in the child also what other threads had taken for forks of theirs. `fork` is not
 * looked at. */
void hak_lock_fork_release(struct hak_lock *lock, struct lock_fork *fork);
void hak_lock_fork_release_child(struct hak_lock *lock, struct lock_fork *fork);

/* In the child, where it says whether the lock can be taken: one whose holder the fork interrupted, or that is not there any
 * more, cannot. */
bool hak_lock_is_free(const struct hak_lock *lock);

#ifdef __cplusplus
}
#endif

#endif
