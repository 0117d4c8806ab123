/* SPDX-License-Identifier: MIT */
/* A spin lock that knows its owner. A signal handler may end or fork the process while the thread that it
 * interrupted holds a lock; taking the lock then fails, and the handler goes on without it. A lock is held for a few
 * hundred instructions, or for one write of a buffer. */
#ifndef BENCH_TRACE_RECORDER_LOCK_H
#define BENCH_TRACE_RECORDER_LOCK_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"

#include <sched.h>

struct recorder_lock {
    uintptr_t owner; /* atomic: 0, or the address of a thread-local variable of who holds it */
};

/* false where the calling thread, `self`, holds it already. */
HAK_ALWAYS_INLINE bool recorder_lock_take(struct recorder_lock *lock, const void *self) {
    for (;;) {
        uintptr_t found = 0;
        /* acquire: what the last holder wrote is seen by this one */
        if (hak_compare_exchange_acq_rel(&lock->owner, &found, (uintptr_t)self)) {
            return true;
        }
        if (found == (uintptr_t)self) {
            return false;
        }
        sched_yield();
    }
}

HAK_ALWAYS_INLINE void recorder_lock_give(struct recorder_lock *lock) {
    /* release: to the next holder */
    hak_store_release(&lock->owner, (uintptr_t)0);
}

#endif
