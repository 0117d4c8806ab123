/* SPDX-License-Identifier: MIT */
/* Purging: when free memory goes back to the system. That is after it was free for the decay time (HAKMEM_PURGE_DELAY_MS), or
 * earlier if too much of it waits.
 *
 * Every slow path of malloc and free ends in purge_poll. If more than PURGE_THREAD_BYTES wait, a poll starts a thread of our own
 * (own_thread.h), so that memory also goes back when the program stops allocating; HAKMEM_PURGE_THREAD says in which
 * processes. While no such thread runs, the polls purge themselves, a piece at a time. Then a bound holds for what waits, since a
 * program that sleeps polls no more: the larger of PURGE_BOUND_BYTES, less in the child of a fork, and the bytes in use. It grows
 * for a program that allocates again at once what was purged. For the thread another bound holds, as long as its allowance lasts
 * (purge_share.h). */
#ifndef HAKMEM_PROCESS_PURGE_H
#define HAKMEM_PROCESS_PURGE_H

#include "hakmem/base/compiler.h"
#include "hakmem/flags/debug.h"
#include "hakmem/process/purge_pass.h"
#include "hakmem/region/decay.h"

/* What a program that stops allocating may keep unpurged, bytes: less than a thread and its stack are worth. */
#define PURGE_THREAD_BYTES ((size_t)1 << 20)

/* The cold half of purge_poll: something decays. */
HAK_COLD void hak_purge_poll_due(const void *caller);
HAK_COLD void hak_purge_poll_due_alloc(const void *caller);

/* Debug builds: what every poll calls, so that tests meet allocations in the middle of every slow path, as a poll that starts a
 * thread makes them. NULL: nothing. Written while the process has one thread. */
extern void (*hak_purge_reentry)(void);

HAK_ALWAYS_INLINE void purge_poll_reenter(void) {
    if (HAK_DEBUG && hak_purge_reentry != NULL) {
        hak_purge_reentry();
    }
}

/* Purges what has decayed or is too much, or starts the thread. `caller`: the return address of the program's call; where
 * that is the C library's, no thread is started: it frees under the lock that pthread_create wants. NULL: not known, likewise.
 * Keeps errno. pre: the caller holds no lock and is in no exchange, since starting a thread may allocate */
HAK_ALWAYS_INLINE void purge_poll(const void *caller) {
    purge_poll_reenter();
    if (HAK_UNLIKELY(decay_due_ms() != 0)) {
        hak_purge_poll_due(caller);
    }
}

/* purge_poll for allocations. In a program that is linked statically nobody can tell where the C library is, and the thread
 * is started here: the C library allocates under none of the locks that pthread_create wants. */
HAK_ALWAYS_INLINE void purge_poll_alloc(const void *caller) {
    purge_poll_reenter();
    if (HAK_UNLIKELY(decay_due_ms() != 0)) {
        hak_purge_poll_due_alloc(caller);
    }
}

/* Called by a thread of the program that has ended ours and leaves a thread behind. Gives back what is more than may wait where no thread
 * of ours purges (purge_bound.h); or begins another, where one of the program's has begun meanwhile. pre: no lock is held */
void hak_purge_thread_was_ended(void);

/* In the child of a fork, whose thread that purges is gone; the rest is in purge_pass.h. */
void hak_purge_fork_child(void);

#endif
