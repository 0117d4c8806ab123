/* SPDX-License-Identifier: MIT */
/* The allocator's own threads, at most one of each kind: when they may start, and how they end with the program's threads.
 *
 * Only a process with one thread may call unshare or setns, or fork without a warning. So the allocator starts no thread in such
 * a process unless an option asks for it. Where a program goes on with one of several threads, the one that ends last but one ends
 * the thread that purges: who joins it finds the process alone.
 *
 * A process ends when its last thread does, and that thread runs the program's exit handlers. Ours must never be the last one:
 * it has a small stack and blocks all signals. So the program's threads are counted by their records (magazine/thread.h), and
 * the last of them to end stops our threads and joins them.
 *
 * The state of our threads lies in a page that the kernel clears in every child process. A child finds zeros there, which mean
 * that none of our threads runs, even if it was made by a raw clone or _Fork, where no fork handler is called.
 *
 * Any thread may call these functions; they take no lock and are slow paths. */
#ifndef HAKMEM_PROCESS_OWN_THREAD_H
#define HAKMEM_PROCESS_OWN_THREAD_H

#include "hakmem/base/compiler.h"

enum own_thread_kind {
    OWN_THREAD_PURGE,
    OWN_THREAD_PUBLISH,
    OWN_THREAD_KINDS,
};

/* Count the program's threads: called when a thread gets its record, and when it gives it up. The second may wait a few
 * milliseconds for threads of ours to end. pre: no lock is held */
void hak_own_thread_user_begun(void);

/* Result: whether one of ours was ended and a thread of the program goes on, the only one or one that began meanwhile, which may never call
 * the allocator again. */
bool hak_own_thread_user_ended(void);

/* Resets the count in the child of a fork, whose only thread calls this. */
void hak_own_thread_fork_child(bool has_record);

/* Number of the program's threads that have a record. */
uint32_t hak_own_thread_users(void);

/* How often, from parent to child up to this process, no handler of fork saw that a child of several threads began. So it is 0 in most
 * processes, and whoever notes it finds another number in such a child. */
uint32_t hak_own_thread_unseen_children(void);

/* Whether the calling thread is one of ours. */
bool hak_own_thread_is_current(void);

/* In a child that no handler of fork saw: the owner, as locks know it, that the parent's thread of that kind was, until the
 * child starts its own. Else 0. What it held it never releases here. */
uintptr_t hak_own_thread_gone(enum own_thread_kind kind);

/* Starts the thread of a kind. EBUSY: it runs, or is about to end; ESRCH: too few of the program's threads are left; ENOMEM,
 * EAGAIN: as pthread_create. pre: no lock is held, since pthread_create may allocate. In a child that no handler of fork saw, what the
 * parent's thread of the kind left locked was released (hak_purge_unlock_gone, hak_fork_release_left): hak_own_thread_gone forgets it */
int hak_own_thread_start(enum own_thread_kind kind, void (*main)(void));

bool hak_own_thread_runs(enum own_thread_kind kind);

/* When a thread of that kind may be begun again, in the time of hak_os_clock_ms: a moment after the last one was ended here. A hint:
 * hak_own_thread_start does not look at it. */
uint64_t hak_own_thread_from_ms(enum own_thread_kind kind);

/* Ends the sleep of the thread of that kind, or its next one. Any thread. pre: the kind runs */
void hak_own_thread_nudge(enum own_thread_kind kind);

/* The thread of that kind itself calls the functions below. */

/* Sleeps for at most that long, or until it is nudged. false: the thread has to end */
bool hak_own_thread_sleep(enum own_thread_kind kind, uint64_t duration_ms);

bool hak_own_thread_must_end(enum own_thread_kind kind);

/* hak_own_thread_leave: the thread is about to return, and another of its kind may be started. It may change its mind by
 * hak_own_thread_stay; false: another was started meanwhile, and this one has to return. */
void hak_own_thread_leave(enum own_thread_kind kind);
bool hak_own_thread_stay(enum own_thread_kind kind);

#endif
