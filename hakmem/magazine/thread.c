/* SPDX-License-Identifier: MIT */
/* See thread.h.
 *
 * The threads lock guards the lists of records without a thread (record_list.h), and who has which. Readers of records take no
 * lock (reading.h), so that no thread that begins or ends waits for them. */
#include "hakmem/magazine/thread.h"

#include <pthread.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/lock.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/ladder/counts.h"
#include "hakmem/magazine/exchange_flush.h"
#include "hakmem/magazine/exchange_room.h"
#include "hakmem/magazine/learning.h"
#include "hakmem/magazine/reading.h"
#include "hakmem/magazine/record_list.h"
#include "hakmem/magazine/sampling_state.h"
#include "hakmem/magazine/share.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/os.h"
#include "hakmem/slab/moving.h"

static HAK_THREAD_LOCAL bool thread_has_ended;
static HAK_THREAD_LOCAL uint16_t thread_untold_frees; /* see THREAD_UNTOLD_FREES */

static struct hak_lock threads_lock = HAK_LOCK_INITIALIZER(HAK_RANK_THREADS);
static uint64_t threads_begun;               /* threads lock */
static uint32_t threads_now;                 /* threads lock; that have a record */
static pthread_key_t thread_end_key;         /* constant after init */
static struct hak_thread_watch thread_watch; /* constant after init */
static bool thread_may_begin;                /* constant after init */
/* threads lock; a fork interrupted the holder of the lock: records still have threads that the child does not have */
static bool threads_are_gone;

/* Ends the thread's use of its tops: the magazines are empty, and go back to the record's storage. */
static void thread_give_up_tops(struct hak_thread *thread) {
    exchange_open(thread);
    hak_reading_end(thread);
    hak_exchange_unfurnish(thread);
    exchange_leave(thread);
}

/* Takes the record from a thread that the child of a fork does not have. Recycles it if its magazines are whole, and then
 * flushes them, unless the thread had done so itself. */
static void thread_retire_locked(struct hak_thread *thread, bool has_tops, bool may_flush) {
    /* The tops lie in the thread-local storage of a thread that is gone; fork copied that storage, and nothing has
     * used it since. The child has a prefix of each thread's stores, in program order, so an even sequence means
     * that the magazines are whole. Relaxed: the child has one thread. */
    const bool is_between = hak_load_relaxed(&thread->sequence) % 2 == 0;
    if (!is_between) {
        exchange_leave(thread); /* nobody else will, and readers would try again */
    }
    if (!is_between || !may_flush) {
        hak_store_relaxed(&thread->tops, 0u);
        hak_record_withhold(thread);
        return;
    }
    if (has_tops) {
        hak_exchange_flush(thread);
        thread_give_up_tops(thread);
    }
    hak_record_recycle(thread);
}

/* Retires the records of all other threads, which the child of a fork does not have. No reader is left but this thread, perhaps,
 * which then goes on after this. */
static void thread_retire_others_locked(const struct hak_thread *self, bool may_flush) {
    for (struct hak_thread *thread = hak_record_newest(); thread != NULL; thread = thread->older) {
        /* Relaxed, both: the child has one thread. A reader that came when the record's thread had ended counts as well. */
        const bool has_tops = (hak_load_relaxed(&thread->tops) & RECORD_HAS_TOPS) != 0;
        hak_store_relaxed(&thread->tops, has_tops ? RECORD_HAS_TOPS : 0);
        if (thread != self && thread->link == NULL) {
            thread_retire_locked(thread, has_tops, may_flush);
            hak_share_divide(--threads_now);
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
    ladder_end_counting();
    DISTURB();
    thread_give_up_tops(thread); /* before the lock: others do not wait for a reader of this record */
    lock_acquire(&threads_lock);
    hak_record_recycle(thread);
    hak_share_divide(--threads_now);
    threads_release(thread);
    DISTURB();
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

bool hak_thread_is_outside(void) {
    /* Relaxed: only this thread writes it. */
    return !hak_load_relaxed(&hak_magazine_is_inside) && !hak_thread_is_inside() && !hak_lock_debug_holds_any();
}

void hak_thread_expect_outside(void) {
    if (!hak_thread_is_outside()) {
        hak_assert_failed(
            "a signal handler that interrupted the allocator in its thread calls the allocator, which POSIX does not "
            "allow");
    }
}

void hak_thread_fork_child(bool is_whole) {
    if (hak_self != NULL) {
        hak_store_relaxed(&hak_self->tid, hak_os_thread_id());
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
    const size_t bytes =
        hak_record_bytes() + (LADDER_LEARNS ? bits_round_up(ladder_learning_bytes(), hak_os_page_size()) : 0);
    void *memory;
    if ((HAK_GUARD_FULL ? hak_metadata_map_record(bytes, &memory) : hak_os_map(bytes, hak_os_page_size(), &memory)) !=
        0) {
        return NULL;
    }
    thread = memory;
    hak_record_add(thread);
    return thread;
}

/* What the record's last thread left in its classes and behind them; its allocations and frees go on. Relaxed, all: within a
 * write section. */
static void thread_clear(struct hak_thread *thread) {
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        struct hak_thread_class *own = &thread->classes[class_index];
        own->active[0] = own->active[1] = NULL;
        hak_store_relaxed(&own->loaded_level, (uint16_t)0);
        hak_store_relaxed(&own->returned_level, (uint16_t)0);
        hak_store_relaxed(&own->stashed, (uint8_t)0);
        own->loaded_zeroed = false;
        own->is_used = 0;
        own->batch = own->recent_exchanges = own->overflows = own->checks = 0;
        own->counted_from = (uint16_t)thread->exchanges;
    }
    thread->loaded_above_tiny = 0;
    thread->grown = 0;
    for (unsigned class_index = 1; sampling_was_on() && class_index < HAK_CLASS_COUNT; class_index++) {
        hak_store_relaxed(&thread->samples[class_index].parked, NULL);
        thread->samples[class_index].epoch = 0;
    }
}

/* What the threads before it counted: a reader takes it off the record's counts for those of this thread. */
static void thread_note_former(struct hak_thread *thread) {
    uint64_t allocations = 0, frees = 0;
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        allocations += thread->classes[class_index].allocations;
        frees += thread->classes[class_index].frees;
    }
    hak_store_relaxed(&thread->former.allocations, allocations);
    hak_store_relaxed(&thread->former.frees, frees);
    hak_store_relaxed(&thread->former.exchanges, thread->exchanges);
    hak_store_relaxed(&thread->former.remote_frees, thread->remote_frees);
}

/* Gives the calling thread the record without magazines. pre: none of the record's magazines holds a block */
static void thread_lay_out_locked(struct hak_thread *thread) {
    exchange_open(thread);
    thread->loaded = HAK_GUARD_EXACT && hak_load_setting(&hak_shadow.limit) == 0 ? thread->limited_loaded : hak_loaded;
    thread->returned = hak_returned;
    hak_store_relaxed(&thread->tid, hak_os_thread_id());
    hak_store_relaxed(&thread->begun, ++threads_begun);
    thread_note_former(thread);
    thread_clear(thread);
    hak_exchange_unfurnish(thread);
    if (LADDER_LEARNS) {
        hak_ladder_learning_begin(exchange_learning(thread));
    }
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT && !ladder_room_varies(); class_index++) {
        (void)hak_exchange_furnish(thread, class_index);
    }
    hak_reading_allow(thread);
    exchange_leave(thread);
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
        thread_lay_out_locked(thread);
        /* With the lock held, so that the child of a fork knows its own record. */
        hak_self = thread;
        hak_share_divide(++threads_now);
    }
    threads_release(thread);
    DISTURB();
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

/* In a program that is linked statically nobody can tell the C library's frees from the program's. So a thread that only frees
 * begins when it has freed so many blocks: at the end of a thread the C library frees one for each stack that it unmaps. */
#define THREAD_UNTOLD_FREES 256

/* Whether it is the C library that frees, or may be. */
static bool thread_frees_for_c_library(const void *caller) {
    if (!hak_os_is_c_library(caller)) {
        return false;
    }
    return hak_os_knows_c_library() || thread_untold_frees++ < THREAD_UNTOLD_FREES;
}

/* glibc frees the table of a detached thread's thread-local storage in that thread itself, or, with its stack, in another thread that
 * ends, both times when all destructors have run. */
struct hak_thread *hak_thread_begin_to_free(const void *caller) {
    if (hak_self != NULL || thread_has_ended) {
        return hak_self;
    }
    return thread_frees_for_c_library(caller) ? NULL : hak_thread_begin();
}

struct hak_thread *hak_thread_list_acquire(void) {
    lock_acquire(&threads_lock);
    return hak_record_newest();
}

void hak_thread_list_release(void) { threads_release(hak_self); }
