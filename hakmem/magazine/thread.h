/* SPDX-License-Identifier: MIT */
/* How threads begin and end: a record (record.h) is given to a thread at its first allocation, or at the first block that the
 * program frees in it, flushed and taken back by a destructor at its end, and given to later threads again. */
#ifndef HAKMEM_MAGAZINE_THREAD_H
#define HAKMEM_MAGAZINE_THREAD_H

#include "hakmem/base/lock.h"
#include "hakmem/magazine/record.h"
#include "hakmem/region/decay.h"

/* Who wants to know that a thread got a record, or gave it up at its end. Called with no lock held; `ended` may wait for a few ms */
struct hak_thread_watch {
    void (*begun)(void);
    void (*ended)(void);
};

/* Called once, by hak_process_begin. Where the process has no key for the destructor left, no thread ever
 * begins, and all are served as shared.h says. */
void hak_thread_init(struct hak_thread_watch watch);

/* The calling thread's record, made where it has none. NULL: the thread has ended, there is no memory, or the
 * process has not begun: slow paths call hak_process_begin first. */
struct hak_thread *hak_thread_begin(void);

/* hak_thread_begin for a free. `caller`: the return address of the program's call. Where that is the C library's, a thread without a
 * record gets none: the C library also frees in threads whose destructors have run, and nothing would take the record back from
 * those. Result NULL: the block is freed as shared.h says. */
struct hak_thread *hak_thread_begin_to_free(const void *caller);

/* The next piece of a pass over the records of ended threads, which returns their pages. true: the pass is over. pre: the
 * caller has the purge lock and none of a higher rank */
bool hak_thread_purge_piece(struct decay_pass *pass);

/* Shows the threads lock to the handlers of fork, so that the child finds the list of free records consistent. */
void hak_thread_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* All records, linked by `older`. Holds the threads lock until the release: what `link` says of them stays true, except that a
 * thread may be about to give its record up, whose magazines and slabs are gone then. */
struct hak_thread *hak_thread_list_acquire(void);
void hak_thread_list_release(void);

/* Whether the calling thread is in the middle of an exchange, which a signal handler then has interrupted. */
bool hak_thread_is_inside(void);

/* Debug builds: whether the calling thread holds no lock of the allocator, is in no exchange, and between no two steps that a call in
 * a signal handler would disturb (magazine_enter). */
HAK_COLD bool hak_thread_is_outside(void);

/* Debug builds: ends the process, with a line, where the calling thread's signal handler interrupted the allocator and now calls it. */
HAK_COLD void hak_thread_expect_outside(void);

/* Called where allocations and frees begin. Nothing in other builds. */
HAK_ALWAYS_INLINE void thread_expect_outside(void) {
    if (HAK_DEBUG) {
        hak_thread_expect_outside();
    }
}

/* In the child of a fork, by its only thread: flushes the magazines of the threads that the child does not have, and
 * recycles their records. The blocks of a thread that was in the middle of an exchange are lost, since nobody can tell
 * how far the exchange came. If `is_whole` is false, the fork interrupted the allocator in this thread: then nothing is
 * flushed, because slabs may be half changed and their locks held. */
void hak_thread_fork_child(bool is_whole);

#endif
