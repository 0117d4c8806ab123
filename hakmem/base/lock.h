/* Locks with ranks.
 *
 * Every lock of hakmem is one of these. Its rank says when it may be taken: a thread takes locks in strictly
 * ascending rank, hence no cycle and no deadlock. Debug builds keep the held locks of each thread and abort at
 * the first acquisition out of order, whether or not it would have deadlocked this time; release builds are the
 * plain mutex. A pthread mutex because sanitizers and fork understand it; of the adaptive type (it spins
 * briefly before it sleeps) because no holder ever waits for anything but the next lock or the kernel.
 * No function here allocates or changes errno. */
#ifndef HAKMEM_BASE_LOCK_H
#define HAKMEM_BASE_LOCK_H

#ifndef _GNU_SOURCE
#error "depend on //hakmem/base:lock: it defines _GNU_SOURCE, which the adaptive mutex needs"
#endif

#include <pthread.h>

#include "hakmem/base/assert.h"
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

struct hak_lock {
    pthread_mutex_t mutex;
    enum hak_lock_rank rank; /* constant after init */
};

#define HAK_LOCK_INITIALIZER(rank) {PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP, (rank)}

void lock_init(struct hak_lock *lock, enum hak_lock_rank rank);

/* The debug half: only debug builds call it. */
void lock_debug_push(const struct hak_lock *lock, bool same_rank_allowed);
void lock_debug_pop(const struct hak_lock *lock);
bool lock_debug_is_held(const struct hak_lock *lock);

/* pre: every lock that this thread holds is of a lower rank */
HAK_ALWAYS_INLINE void lock_acquire(struct hak_lock *lock) {
    /* Before the mutex, so that a wrong order is reported even where it deadlocks. */
    if (HAK_DEBUG) lock_debug_push(lock, false);
    int error = pthread_mutex_lock(&lock->mutex);
    HAK_ASSERT(error == 0);
    (void)error;
}

/* lock_acquire for who takes several locks of one rank, in the order of their array. Around fork all are
 * taken; everybody else holds at most one of a rank, so no second order exists that this one could cross. */
HAK_ALWAYS_INLINE void lock_acquire_next_of_rank(struct hak_lock *lock) {
    if (HAK_DEBUG) lock_debug_push(lock, true);
    int error = pthread_mutex_lock(&lock->mutex);
    HAK_ASSERT(error == 0);
    (void)error;
}

/* pre: this thread holds the lock; the order of releases is free */
HAK_ALWAYS_INLINE void lock_release(struct hak_lock *lock) {
    if (HAK_DEBUG) lock_debug_pop(lock);
    int error = pthread_mutex_unlock(&lock->mutex);
    HAK_ASSERT(error == 0);
    (void)error;
}

HAK_ALWAYS_INLINE void lock_assert_held(const struct hak_lock *lock) { HAK_ASSERT(lock_debug_is_held(lock)); }

#ifdef __cplusplus
}
#endif

#endif
