/* SPDX-License-Identifier: MIT */
/* See purge_pass.h. When to look is region/decay.h's; what to look at is here: free chunks, kept mappings, the pages of
 * PARTIAL slabs that hold no block in use, and those of the records of ended threads. */
#include "hakmem/process/purge_pass.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/magazine/idle.h"
#include "hakmem/magazine/record_list.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge_bound.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/held.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"

/* Held while a piece is purged, so that a fork finds nothing half-way: neither chunks nor slabs are in the
 * hands of a thread that the child does not have. */
static struct hak_lock purge_lock = HAK_LOCK_INITIALIZER(HAK_RANK_PURGE);
static uint32_t purge_forks;     /* atomic; threads that want the purge lock for a fork, or have it */
static uint32_t purge_waiters;   /* atomic; threads that want it to purge, or have just got it */
static uint32_t purge_forks_in;  /* atomic; hak_own_thread_unseen_children when these two began at 0 */
static bool purge_is_child;      /* atomic; this process is the child of a fork */
static uint64_t purge_looked_ms; /* purge lock; when idle threads were last looked for */

size_t hak_purge_waiting_bytes(void) { return hak_region_dirty_bytes() + hak_kept_dirty_bytes(); }

size_t hak_purge_to_do_bytes(void) {
    const size_t waiting = hak_purge_waiting_bytes() + hak_partial_unpurged_bytes();
    const size_t refused = hak_region_refused_bytes() + hak_kept_refused_bytes();
    return waiting > refused ? waiting - refused : 0;
}

size_t hak_purge_in_use_bytes(void) {
    const size_t held = hak_held_bytes(), free = hak_partial_unpurged_bytes() + hak_partial_purged_bytes();
    return held > free ? held - free : 0;
}

size_t hak_purge_resident_bytes(void) {
    const size_t sum = hak_held_bytes() + hak_purge_waiting_bytes();
    const size_t gone = hak_partial_purged_bytes() + hak_region_refused_bytes() + hak_kept_refused_bytes();
    return sum > gone ? sum - gone : 0;
}

bool hak_purge_is_by_mapping(void) {
    /* In the child of a fork the kernel does not join the new mappings with what the parent wrote, and they would become too
     * many. Relaxed: the child had one thread when it was written. */
    return hak_own_thread_users() <= 1 && !hak_load_relaxed(&purge_is_child) && hak_own_thread_unseen_children() == 0;
}

static struct decay_pass purge_pass(uint64_t freed_until_ms) {
    return (struct decay_pass){
        .freed_until_ms = freed_until_ms, .by_mapping = hak_purge_is_by_mapping(), .class_index = 1};
}

/* Takes slabs of idle threads, as many as one hold of the lock may. true: there were none. Once a pass, and not more often than
 * threads can become idle: where every slow path purges, it must not look at every thread. */
static bool purge_look_for_idle_locked(struct decay_pass *pass) {
    if (!pass->has_idle && !pass->has_begun_idle) {
        const uint64_t now = hak_os_clock_ms();
        if (pass->freed_until_ms == DECAY_EVERYTHING || now >= purge_looked_ms + PURGE_IDLE_LOOK_MS) {
            purge_looked_ms = now;
        } else {
            pass->has_idle = true;
            hak_idle_note_skipped();
        }
    }
    pass->has_idle = pass->has_idle || hak_idle_take_slabs(pass);
    return pass->has_idle;
}

/* The parent's thread may have held the lock: most of what that thread does it does with it. A piece that it was at is lost to the
 * child, as what other threads had at hand. */
void hak_purge_unlock_gone(void) { hak_lock_release_of(&purge_lock, hak_own_thread_gone(OWN_THREAD_PURGE)); }

/* In a child that no handler saw: the parent's threads that wanted to fork or to purge are not there. */
static void purge_forget_forks(void) {
    const uint32_t children = hak_own_thread_unseen_children();
    uint32_t known = hak_load_relaxed(&purge_forks_in);
    /* Acquire-release: one thread of the child does it, before it counts a fork of its own. A fork that another thread begins at the same
     * moment may be forgotten, which costs at most a longer wait. */
    if (known != children && hak_compare_exchange_acq_rel(&purge_forks_in, &known, children)) {
        hak_store_relaxed(&purge_forks, 0u);
        hak_store_relaxed(&purge_waiters, 0u);
    }
}

/* `count`: purge_forks or purge_waiters. Who waits for the lock is slower than who takes it again at once, and would wait for all of its
 * pieces. */
static void purge_make_way(const uint32_t *count) {
    /* Relaxed, both: a hint. */
    if (hak_load_relaxed(count) != 0) {
        purge_forget_forks();
        if (hak_load_relaxed(count) != 0) {
            hak_os_sleep_ms(1);
        }
    }
}

/* Never below 0: if a signal handler interrupts a fork or a wait and makes a child that no handler of fork saw, that child forgets it, and
 * may end it all the same. */
static void purge_count_down(uint32_t *count) {
    uint32_t value = hak_load_relaxed(count);
    while (value != 0 && !hak_compare_exchange_acq_rel(count, &value, value - 1)) {
    }
}

static void purge_acquire(void) {
    hak_purge_unlock_gone();
    /* Relaxed: a hint for whoever has the lock. */
    (void)hak_fetch_add_relaxed(&purge_waiters, 1u);
    lock_acquire(&purge_lock);
    purge_count_down(&purge_waiters);
}

/* The pass's next piece: slabs of idle threads, as long as there are any, and then so many bytes. true: the pass is over */
static bool purge_piece(struct decay_pass *pass, size_t bytes) {
    pass->left = bytes;
    purge_acquire();
    /* Else slabs first: one that turns out to be free altogether joins the chunks. */
    const bool is_over = purge_look_for_idle_locked(pass) && (pass->chunks_first || hak_partial_purge_piece(pass)) &&
                         hak_region_purge_piece(pass) && hak_kept_purge_piece(pass) &&
                         (!pass->chunks_first || hak_partial_purge_piece(pass)) && hak_thread_purge_piece(pass);
    lock_release(&purge_lock);
    purge_make_way(&purge_forks);
    return is_over;
}

static bool purge_is_to_stop(void) { return hak_own_thread_is_current() && hak_own_thread_must_end(OWN_THREAD_PURGE); }

/* true: the pass is over; false: it has purged `bytes`, or the thread has to end */
static bool purge_some(struct decay_pass *pass, size_t bytes) {
    size_t spent = 0;
    while (spent < bytes) {
        const size_t piece = bytes - spent < PURGE_PIECE_BYTES ? bytes - spent : PURGE_PIECE_BYTES;
        if (purge_piece(pass, piece)) {
            return true;
        }
        if (pass->has_idle) { /* else it has only taken slabs of idle threads */
            spent += pass->left < piece ? piece - pass->left : piece;
        }
        if (spent >= bytes || purge_is_to_stop()) {
            break;
        }
        purge_make_way(&purge_waiters);
    }
    return false;
}

void hak_purge_aged(uint64_t now, size_t bytes) {
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    if (!hak_decay_take()) {
        return;
    }
    hak_region_ask_waiting(now);
    if (delay_ms < 0) {
        return;
    }
    const uint64_t delay = (uint64_t)delay_ms;
    DISTURB();
    struct decay_pass pass = purge_pass(now > delay ? now - delay : 0);
    const bool is_over = purge_some(&pass, bytes);
    hak_purge_bound_unlearn(pass.purged);
    if (!is_over) {
        hak_decay_schedule(now);
    } else if (hak_purge_to_do_bytes() > 0 || record_unpurged_bytes() > 0) {
        /* A quarter of the delay: nothing stays longer than one and a quarter of it. What was refused is not looked for. */
        hak_decay_schedule(now + delay / 4 + 1);
    }
}

size_t hak_purge_oldest(uint64_t now, size_t bytes) {
    /* As old as half of the delay at least, then an eighth, then any. Relaxed: see options.h. */
    const uint64_t delay = (uint64_t)hak_load_relaxed(&hak_options.purge_delay_ms);
    const uint64_t ages[] = {delay / 2, delay / 8, 0};
    size_t left = bytes, purged = 0;
    for (unsigned i = 0; i < sizeof ages / sizeof ages[0] && left > 0; i++) {
        struct decay_pass pass = purge_pass(ages[i] == 0 ? DECAY_ALL_NEW : now > ages[i] ? now - ages[i] : 0);
        pass.chunks_first = true;
        /* Threads are idle after the whole delay: a pass over what has decayed looks for them. */
        pass.has_idle = true;
        const bool is_over = purge_some(&pass, left);
        purged += pass.purged;
        left = is_over && left > pass.purged ? left - pass.purged : 0;
    }
    return purged;
}

void hak_purge_idle(uint64_t now) {
    /* Relaxed: see options.h. */
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    struct decay_pass pass = purge_pass(now > (uint64_t)delay_ms ? now - (uint64_t)delay_ms : 0);
    (void)purge_some(&pass, PURGE_PIECE_BYTES);
}

size_t hak_purge_all(void) {
    struct decay_pass pass = purge_pass(DECAY_EVERYTHING);
    (void)purge_some(&pass, SIZE_MAX);
    return pass.purged;
}

void hak_purge_idle_record(struct hak_thread *record) {
    if (hak_record_used_bytes(record) > PURGE_IDLE_BYTES) {
        (void)hak_record_purge(record, hak_purge_is_by_mapping());
    }
}

/* Relaxed, both: a hint for the thread that purges. */
void hak_purge_fork_begin(void) {
    purge_forget_forks();
    (void)hak_fetch_add_relaxed(&purge_forks, 1u);
    hak_purge_unlock_gone();
}

void hak_purge_fork_end(void) { purge_count_down(&purge_forks); }

void hak_purge_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&purge_lock, fork); }

void hak_purge_pass_fork_child(void) {
    /* Relaxed, all: the child has one thread. Others of the parent may have wanted to fork too, or to purge. */
    hak_store_relaxed(&purge_forks, 0u);
    hak_store_relaxed(&purge_waiters, 0u);
    hak_store_relaxed(&purge_is_child, true);
    hak_purge_bound_fork_child();
    /* A look that a thread had taken upon itself is lost with it. */
    hak_region_fork_child();
    if (hak_purge_to_do_bytes() > 0 || record_unpurged_bytes() > 0) {
        hak_decay_note_freed(hak_os_clock_ms());
    }
}
