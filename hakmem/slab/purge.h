/* Purging: what was free for a decay time goes back to the system.
 *
 * Slow paths poll. Where more than PURGE_THREAD_BYTES wait, a thread does it, so that memory also returns
 * when the program allocates no more; below that the next slow path of any thread does it. */
#ifndef HAKMEM_SLAB_PURGE_H
#define HAKMEM_SLAB_PURGE_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"
#include "hakmem/region/decay.h"

/* What a program that stops allocating may keep unpurged, bytes: less than a thread and its stack are worth. */
#define PURGE_THREAD_BYTES ((size_t)1 << 20)

/* The cold half of purge_poll: something decays. */
HAK_COLD void purge_poll_due(const void *caller);

/* Purges what has decayed, or starts the thread. `caller`: the return address of the program's call, where that may be
 * the C library's while it holds locks of its own: it frees under the one that pthread_create wants. NULL elsewhere.
 * Keeps errno. pre: the caller holds no lock and is in no exchange, since starting a thread may allocate */
HAK_ALWAYS_INLINE void purge_poll(const void *caller) {
    if (HAK_UNLIKELY(decay_due_ms() != 0)) {
        purge_poll_due(caller);
    }
}

/* Has the next poll that may start a thread call `start`, once: for what needs a thread of its own. Any thread; a later call
 * replaces what still waits. */
void purge_start_later(void (*start)(void));

/* Purges everything that is free, decayed or not. Result: bytes. */
size_t purge_all(void);

/* Around fork: no purge is in progress; and in the child, whose thread is gone. */
void purge_fork_locks(lock_visit *visit, struct lock_fork *fork);
void purge_fork_child(void);

/* Bytes in whole chunks and mappings that still decay. */
size_t purge_waiting_bytes(void);

#endif
