/* SPDX-License-Identifier: MIT */
/* fork: the child gets an allocator that nobody else was in the middle of.
 *
 * The handlers take every lock, in the order of their ranks, before the process is copied, and release them in both
 * copies; the child then gives back what threads held that it does not have. They are registered before any other
 * constructor runs (init.c), because handlers that are registered first are called last before the copy and first after it:
 * those of the program may allocate. Where a library's come first all the same, the thread that forks passes the locks that it
 * holds for that.
 *
 * fork may be called in a signal handler, which may have interrupted the allocator: then the thread holds some lock already,
 * or is in an exchange. It goes on with that when the handler returns, in the child too, so that the child changes nothing
 * of it, and leaves in place what other threads had. */
#include "hakmem/process/fork.h"

#include <errno.h>
#include <pthread.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/observer.h"
#include "hakmem/guard/guard.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/shuffle.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge.h"
#include "hakmem/process/renew.h"
#include "hakmem/region/give_way.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "hakmem/sample/hooks.h"
#include "hakmem/sample/profile.h"
#include "hakmem/slab/partial.h"

/* glibc's lock of the list of streams. fork takes it after the handlers have run, while a thread that holds it may wait
 * for a stream, and that stream's holder for a lock of ours. So it is taken first; it counts how often its thread took
 * it.
 *
 * In the child glibc makes it new where the parent had several threads, and only there, and so do we: its owner is a thread by
 * address, and fork keeps that. */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));

/* Of this thread. Forks of a signal handler that interrupts a fork, or of a program's own fork handler, find all locks taken,
 * and leave them to the outer one. */
static HAK_THREAD_LOCAL struct {
    uint32_t depth;
    bool is_whole;    /* nothing was interrupted, and every lock is held */
    bool has_streams; /* the lock of the list of streams is held */
} fork_own;

static void fork_visit(lock_visit *visit, struct lock_fork *fork) {
    hak_purge_fork_locks(visit, fork);
    hak_thread_fork_locks(visit, fork);
    hak_shared_fork_locks(visit, fork);
    if (HAK_GUARD_FULL) {
        hak_quarantine_fork_locks(visit, fork);
    }
    hak_profile_fork_locks(visit, fork);
    hak_partial_fork_locks(visit, fork);
    hak_huge_fork_locks(visit, fork);
    hak_region_fork_locks(visit, fork);
    hak_kept_fork_locks(visit, fork);
    if (HAK_GUARD_FULL) {
        hak_zero_size_fork_locks(visit, fork);
    }
}

static void fork_acquire(void) {
    if (fork_own.depth++ > 0) {
        return;
    }
    /* Not for a thread of ours, which only copies the process, and blocks all signals: no fork comes within that wants the lock later. A
     * child that no handler saw, made by another thread meanwhile, finds it free. */
    fork_own.has_streams =
        os_has_threads() && !hak_own_thread_is_current() && _IO_list_lock != NULL && _IO_list_resetlock != NULL;
    if (fork_own.has_streams) {
        _IO_list_lock();
    }
    struct lock_fork fork;
    DISTURB();
    hak_lock_fork_begin(&fork);
    hak_purge_fork_begin();
    fork_visit(hak_lock_fork_note, &fork);
    fork_visit(hak_lock_fork_acquire, &fork);
    DISTURB();
    fork_own.is_whole = fork.own_count == 0 && !fork.is_half && !hak_thread_is_inside();
}

static void fork_parent(void) {
    if (--fork_own.depth > 0) {
        return;
    }
    fork_visit(hak_lock_fork_release, NULL);
    DISTURB();
    hak_purge_fork_end();
    if (fork_own.has_streams) {
        _IO_list_unlock();
    }
}

static void fork_child(void) {
    if (--fork_own.depth > 0) {
        return;
    }
    fork_visit(hak_lock_fork_release_child, NULL);
    if (fork_own.has_streams) {
        _IO_list_resetlock();
    }
    if (HAK_GUARD_FULL) {
        hak_guard_fork_child(); /* first: what follows may take blocks */
    }
    if (HAK_GUARD_FULL && fork_own.is_whole) {
        hak_shuffle_own();
        hak_renew_canaries();
    }
    hak_give_way_note_process();
    hak_kept_note_pieces();
    hak_own_thread_fork_child(hak_self != NULL);
    hak_thread_fork_child(fork_own.is_whole);
    hak_purge_fork_child();
    hak_hooks_fork_child();
    observer_note_fork_child(hak_profile_is_whole());
}

void hak_fork_release_left(void) { fork_visit(hak_lock_release_left, NULL); }

void hak_fork_copy(void (*run)(void *argument), void (*fail)(void *argument, int error), void *argument) {
    uint32_t copy = 0;
    fork_acquire();
    const int error = hak_os_copy(&copy);
    if (error == 0 && copy == 0) {
        fork_visit(hak_lock_fork_release_child, NULL);
        run(argument);
        hak_os_copy_end();
    }
    if (error != 0) {
        fail(argument, error);
    }
    fork_parent();
    if (error == 0 && !hak_os_copy_wait(copy)) {
        fork_acquire();            /* as where no copy was made */
        fail(argument, ECANCELED); /* something ended it */
        fork_parent();
    }
}

bool hak_fork_would_interrupt(void) {
    struct lock_fork fork;
    hak_lock_fork_begin(&fork);
    fork_visit(hak_lock_fork_note, &fork);
    return fork.own_count != 0 || hak_thread_is_inside();
}

bool hak_fork_would_wait(void) {
    struct lock_fork fork;
    hak_lock_fork_begin(&fork);
    fork_visit(hak_lock_fork_note, &fork);
    return hak_lock_fork_would_wait(&fork);
}

/* pthread_atfork's handlers go with the library that registers them, which for the C library ends where exit calls its
 * destructors. A fork of another thread that was between two of its handlers then never released what the first had taken.
 * Those of nobody stay. */
#ifdef __GLIBC__
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *owner);

static int fork_register(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return __register_atfork(prepare, parent, child, NULL);
}
#else
static int fork_register(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return pthread_atfork(prepare, parent, child);
}
#endif

void hak_fork_init(void) {
    static bool is_done;
    if (!is_done) {
        is_done = true;
        (void)fork_register(fork_acquire, fork_parent, fork_child);
    }
}
