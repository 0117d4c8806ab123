/* fork: the child gets an allocator that nobody else was in the middle of.
 *
 * The handlers take every lock, in the order of their ranks, before the process is copied, and release them in both
 * copies; the child then gives back what threads held that it does not have. They are registered before any other
 * constructor runs (init.c), because handlers that are registered first are called last before the copy and first after it:
 * those of the program may allocate. */
#include "hakmem/front/fork.h"

#include <pthread.h>

#include "hakmem/base/compiler.h"
#include "hakmem/guard/guard.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/shuffle.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/profile/profile.h"
#include "hakmem/publish/publish.h"
#include "hakmem/region/large.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/purge.h"

/* glibc's lock of the list of streams. fork takes it after the handlers have run, while a thread that holds it may wait
 * for a stream, and that stream's holder for a lock of ours. So it is taken first; it counts how often its thread took
 * it. In the child fork has made it new. */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));

static void fork_acquire(void) {
    if (_IO_list_lock != NULL) {
        _IO_list_lock();
    }
    purge_fork_acquire();
    thread_fork_acquire();
    shared_fork_acquire();
    if (HAK_GUARD_FULL) {
        guard_fork_acquire();
    }
    profile_fork_acquire();
    partial_fork_acquire();
    huge_fork_acquire();
    region_fork_acquire();
    large_fork_acquire();
}

static void fork_release(void) {
    large_fork_release();
    region_fork_release();
    huge_fork_release();
    partial_fork_release();
    profile_fork_release();
    if (HAK_GUARD_FULL) {
        guard_fork_release();
    }
    shared_fork_release();
    thread_fork_release();
    purge_fork_release();
}

static void fork_parent(void) {
    fork_release();
    if (_IO_list_unlock != NULL) {
        _IO_list_unlock();
    }
}

static void fork_child(void) {
    fork_release();
    if (HAK_GUARD_FULL) {
        guard_fork_child(); /* first: what follows may take blocks */
        shuffle_own();
    }
    thread_fork_child();
    purge_fork_child();
    profile_fork_child();
    publish_fork_child();
}

void fork_init(void) { (void)pthread_atfork(fork_acquire, fork_parent, fork_child); }
