/* SPDX-License-Identifier: MIT */
/* The threads that the allocator has of its own, one a kind: when they may begin, and that they never outlive the program's.
 *
 * A process of one thread may do what others may not (unshare, setns, fork without a warning), so malloc and free begin
 * no thread there unless it is asked for. The program's threads are counted by their records (magazine/thread.h). The one
 * whose record is the last to end makes ours end and waits for that: a process ends when its last thread does, which then
 * runs the program's exit handlers, and those are not for a small stack with all signals blocked.
 *
 * What is known of the threads lies in a page that the kernel clears in every child, also of a raw clone or _Fork, whose
 * handlers nobody calls: there it says by itself that none of our threads is left.
 *
 * Any thread; no lock. All of it is slow path. */
#ifndef HAKMEM_PROCESS_OWN_THREAD_H
#define HAKMEM_PROCESS_OWN_THREAD_H

#include "hakmem/base/compiler.h"

enum own_thread_kind {
    OWN_THREAD_PURGE,
    OWN_THREAD_PUBLISH,
    OWN_THREAD_KINDS,
};

/* A record of one of the program's threads has begun, or ended. pre: no lock is held. The end may wait for a few ms */
void hak_own_thread_user_begun(void);
void hak_own_thread_user_ended(void);

/* In the child of a fork: the calling thread is the only one, and has a record or not. */
void hak_own_thread_fork_child(bool has_record);

/* Records of the program's threads. */
uint32_t hak_own_thread_users(void);

/* Whether the calling thread is one of ours. */
bool hak_own_thread_is_current(void);

/* Begins the thread of a kind. EBUSY: it runs, or is about to end; ESRCH: the program's threads have ended; ENOMEM, EAGAIN.
 * pre: no lock is held, since the C library may allocate for it */
int hak_own_thread_start(enum own_thread_kind kind, void (*main)(void));

bool hak_own_thread_runs(enum own_thread_kind kind);

/* The rest is for the thread of that kind itself. */

/* Sleeps so long, or shorter. false: it has to end */
bool hak_own_thread_sleep(enum own_thread_kind kind, uint64_t duration_ms);

bool hak_own_thread_must_end(enum own_thread_kind kind);

/* From now on the kind does not run, and may be begun again; the thread has to return, unless the next call says that it runs
 * on. */
void hak_own_thread_leave(enum own_thread_kind kind);
bool hak_own_thread_stay(enum own_thread_kind kind);

#endif
