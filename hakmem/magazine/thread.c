/* SPDX-License-Identifier: MIT */
/* See thread.h.
 *
 * The threads lock guards the list of living threads' records, those of recycled ones (record_list.h) and the totals of
 * ended threads. A reader of statistics holds it, so that no thread ends and flushes its magazines meanwhile. */
#include "hakmem/magazine/thread.h"

#include <pthread.h>
#include <string.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/lock.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/ladder/counts.h"
#include "hakmem/magazine/exchange_flush.h"
#include "hakmem/magazine/exchange_room.h"
#include "hakmem/magazine/record_list.h"
#include "hakmem/magazine/sampling_state.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/os.h"
#include "hakmem/slab/moving.h"

static HAK_THREAD_LOCAL bool thread_has_ended;

static struct hak_lock threads_lock = HAK_LOCK_INITIALIZER(HAK_RANK_THREADS);
static struct hak_thread *threads_living;                         /* threads lock */
static uint32_t threads_made;                                     /* threads lock */
static struct thread_class_totals threads_ended[HAK_CLASS_COUNT]; /* threads lock */
static struct thread_totals threads_ended_totals;                 /* threads lock */
static pthread_key_t thread_end_key;                              /* constant after init */
static struct hak_thread_watch thread_watch;                      /* constant after init */
static bool thread_may_begin;                                     /* constant after init */
/* threads lock; a fork interrupted the holder of the lock: the list still has threads that the child does not have */
static bool threads_are_gone;

/* Takes a record off the list of living threads and adds its counts to those of ended threads. */
static void thread_retire_locked(struct hak_thread *thread) {
    hak_record_unlink(thread);
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        threads_ended[class_index].allocations += thread->classes[class_index].allocations;
        threads_ended[class_index].frees += thread->classes[class_index].frees;
    }
    threads_ended_totals.exchanges += thread->exchanges;
    threads_ended_totals.remote_frees += thread->remote_frees;
}

/* Retires the records of all other threads, which the child of a fork does not have. Flushes and recycles those whose
 * magazines are whole. */
static void thread_retire_others_locked(const struct hak_thread *self, bool may_flush) {
    struct hak_thread *next;
    for (struct hak_thread *thread = threads_living; thread != NULL; thread = next) {
        next = thread->next;
        if (thread == self) {
            continue;
        }
        /* The tops lie in the thread-local storage of a thread that is gone; fork copied that storage, and nothing has
         * used it since. The child has a prefix of each thread's stores, in program order, so an even sequence means
         * that the magazines are whole. Relaxed: the child has one thread. */
        const bool is_whole = may_flush && hak_load_relaxed(&thread->sequence) % 2 == 0;
        if (is_whole) {
            hak_exchange_flush(thread);
        }
        thread_retire_locked(thread);
        if (is_whole) {
            hak_exchange_unfurnish(thread);
            hak_record_recycle(thread);
        }
    }
}

static void threads_release(const struct hak_thread *self) {
    if (HAK_UNLIKELY(threads_are_gone)) {
        threads_are_gone = false;
        thread_retire_others_locked(self, false);
    }
    lock_release(&threads_lock);
}

/* The destructor of the key. Does not use the key's value: another C library in a name space of its own (dlmopen) also
 * numbers its keys from 0, and keeps their values in the same place of the same thread. */
static void thread_end(void *value) {
    struct hak_thread *thread = hak_self;
    (void)value;
    if (thread == NULL) {
        return;
    }
    hak_exchange_flush(thread);
    lock_acquire(&threads_lock);
    thread_retire_locked(thread);
    hak_exchange_unfurnish(thread);
    hak_record_recycle(thread);
    threads_release(thread);
    /* Destructors that run after this one take the slow path, which serves threads without a record. */
    hak_self = NULL;
    thread_has_ended = true;
    thread_watch.ended();
}

bool hak_thread_purge_piece(struct decay_pass *pass) { return hak_record_purge_piece(&threads_lock, pass); }

void hak_thread_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&threads_lock, fork); }

bool hak_thread_is_inside(void) {
    /* Relaxed: only this thread writes it. */
    return hak_self != NULL && hak_load_relaxed(&hak_self->sequence) % 2 != 0;
}

void hak_thread_fork_child(bool is_whole) {
    if (hak_self != NULL) {
        hak_self->tid = hak_os_thread_id();
    }
    if (is_whole) {
        hak_moving_fork_child(); /* else the interrupted call may be in the middle of a change that it ends itself */
    }
    if (!hak_lock_is_free(&threads_lock)) {
        threads_are_gone = true; /* the interrupted call retires them when it releases the lock */
        return;
    }
    /* Without the check of ranks: the interrupted call may hold locks of higher ranks. */
    hak_lock_fork_acquire(&threads_lock, NULL);
    thread_retire_others_locked(hak_self, is_whole);
    hak_lock_fork_release(&threads_lock, NULL);
}

/* In every glibc the values of this many keys lie in the thread's own storage; for further keys pthread_setspecific
 * allocates. */
#define THREAD_KEYS 32

/* Takes the last of those keys. Where a process has several C libraries (dlmopen), each uses its first keys, and all
 * keep the values in the same place: one that cleared our key's value would keep the destructor from running. */
static bool thread_make_key(void) {
    pthread_key_t keys[THREAD_KEYS];
    unsigned count = 0;
    while (count < THREAD_KEYS && pthread_key_create(&keys[count], thread_end) == 0 &&
           keys[count++] < THREAD_KEYS - 1) {
    }
    if (count == 0) {
        return false;
    }
    thread_end_key = keys[--count];
    while (count > 0) {
        (void)pthread_key_delete(keys[--count]);
    }
    return true;
}

void hak_thread_init(struct hak_thread_watch watch) {
    thread_watch = watch;
    thread_may_begin = thread_make_key();
}

/* A record for the calling thread: a recycled or a new one. NULL: no memory */
static struct hak_thread *thread_record_locked(void) {
    struct hak_thread *thread = hak_record_take_recycled();
    if (thread != NULL) {
        return thread;
    }
    const size_t bytes = hak_record_bytes();
    void *memory;
    if ((HAK_GUARD_FULL ? hak_metadata_map_record(bytes, &memory) : hak_os_map(bytes, hak_os_page_size(), &memory)) !=
        0) {
        return NULL;
    }
    thread = memory;
    threads_made++;
    thread->number = THREAD_NUMBER_SHARED + threads_made;
    return thread;
}

/* Gives the calling thread the record, as if it had never been used. */
static void thread_lay_out(struct hak_thread *thread) {
    thread->loaded = HAK_GUARD_EXACT && hak_load_setting(&hak_shadow.limit) == 0 ? thread->limited_loaded : hak_loaded;
    thread->returned = hak_returned;
    thread->tid = hak_os_thread_id();
    memset(thread->classes, 0, sizeof thread->classes);
    hak_exchange_unfurnish(thread);
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT && !ladder_room_varies(); class_index++) {
        hak_exchange_furnish(thread, class_index);
    }
    if (sampling_was_on()) {
        memset(thread->samples, 0, sizeof thread->samples);
    }
    thread->exchanges = 0;
    thread->remote_frees = 0;
}

struct hak_thread *hak_thread_begin(void) {
    if (hak_self != NULL || thread_has_ended) {
        return hak_self;
    }
    if (!thread_may_begin) {
        return NULL;
    }
    lock_acquire(&threads_lock);
    struct hak_thread *thread = thread_record_locked();
    if (thread != NULL) {
        thread_lay_out(thread);
        /* With the lock held, so that the child of a fork finds its own record in the list. */
        hak_self = thread;
        hak_record_link(&threads_living, thread);
    }
    threads_release(thread);
    if (thread == NULL) {
        return NULL;
    }
    thread_watch.begun();
    ladder_begin_sampling(thread->number);
    /* Last, because it may allocate, which works from here on. */
    if (pthread_setspecific(thread_end_key, thread) != 0) {
        /* Without the destructor the record would never be taken back. */
        thread_end(thread);
    }
    return hak_self;
}

const struct hak_thread *hak_thread_list_acquire(void) {
    lock_acquire(&threads_lock);
    return threads_living;
}

void hak_thread_list_release(void) { threads_release(hak_self); }

struct thread_class_totals hak_thread_ended_locked(unsigned class_index) {
    lock_assert_held(&threads_lock);
    return threads_ended[class_index];
}

struct thread_totals hak_thread_ended_totals_locked(void) {
    lock_assert_held(&threads_lock);
    struct thread_totals totals = threads_ended_totals;
    totals.metadata_bytes = (uint64_t)threads_made * hak_record_bytes();
    return totals;
}
