/* SPDX-License-Identifier: MIT */
/* See purge.h. When to look is region/decay.h's; what to look at is here: free chunks, kept mappings, the pages of
 * PARTIAL slabs that hold no block in use, and those of the records of ended threads. */
#include "hakmem/process/purge.h"

#include <errno.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/options.h"
#include "hakmem/magazine/idle.h"
#include "hakmem/magazine/record_list.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge_share.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/held.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"

/* Held while a piece is purged, so that a fork finds nothing half-way: neither chunks nor slabs are in the
 * hands of a thread that the child does not have. */
static struct hak_lock purge_lock = HAK_LOCK_INITIALIZER(HAK_RANK_PURGE);
static uint32_t purge_forks; /* atomic; threads that want the purge lock for a fork, or have it */
static bool purge_is_child;  /* atomic; this process is the child of a fork */
void (*hak_purge_reentry)(void);
static void (*purge_waiting_start)(void); /* atomic; see hak_purge_start_later */
static size_t purge_waited;               /* atomic; purge_to_do_bytes when a poll last looked */
static uint64_t purge_looked_ms;          /* purge lock; when idle threads were last looked for */
static size_t purge_look_at = SIZE_MAX;   /* atomic; see hak_purge_share_look_at; SIZE_MAX: the thread needs no nudge */
static size_t purge_begin_at;             /* atomic; purge_resident_bytes when the thread was last begun */
static struct purge_share purge_share;    /* of the thread that purges */
static uint64_t purge_thread_again_ms;    /* atomic; no thread was to be had: not before this time again */

/* What a poll purges at most: as much as came since the last one, twice, so that a call pays for what it gave back itself
 * and what is too much gets less. */
#define PURGE_POLL_BYTES(came) (PURGE_PIECE_BYTES + 2 * (came))

/* How long idle threads are not looked for again. */
#define PURGE_IDLE_LOOK_MS 100

/* How long the thread sleeps at most while more waits than its allowance lets it purge, and before it sleeps for long. */
#define PURGE_SHARE_MS 50

/* How long a refused thread is not asked for again. */
#define PURGE_THREAD_AGAIN_MS 1000

size_t hak_purge_waiting_bytes(void) { return hak_region_dirty_bytes() + hak_kept_dirty_bytes(); }

/* What waits and has not been refused, but for records of ended threads, which are little. The counts are snapshots. */
static size_t purge_to_do_bytes(void) {
    const size_t waiting = hak_purge_waiting_bytes() + hak_partial_unpurged_bytes();
    const size_t refused = hak_region_refused_bytes() + hak_kept_refused_bytes();
    return waiting > refused ? waiting - refused : 0;
}

static struct decay_pass purge_pass(uint64_t freed_until_ms) {
    /* In the child of a fork the kernel does not join the new mappings with what the parent wrote, and they would become too
     * many. */
    return (struct decay_pass){.freed_until_ms = freed_until_ms,
                               .by_mapping = hak_own_thread_users() <= 1 && !hak_load_relaxed(&purge_is_child),
                               .class_index = 1};
}

/* Once a pass, and not more often than threads can become idle: where every slow path purges, it must not look at every
 * thread. */
static void purge_look_for_idle_locked(struct decay_pass *pass) {
    const uint64_t now = hak_os_clock_ms();
    const bool is_time = pass->freed_until_ms == DECAY_EVERYTHING || now >= purge_looked_ms + PURGE_IDLE_LOOK_MS;
    if (!pass->has_idle && is_time) {
        hak_idle_take_slabs(pass);
        purge_looked_ms = now;
    }
    pass->has_idle = true;
}

/* The pass's next piece, of so many bytes. true: the pass is over */
static bool purge_piece(struct decay_pass *pass, size_t bytes) {
    pass->left = bytes;
    lock_acquire(&purge_lock);
    /* Else slabs first: one that turns out to be free altogether joins the chunks. */
    purge_look_for_idle_locked(pass);
    const bool is_over = (pass->chunks_first || hak_partial_purge_piece(pass)) && hak_region_purge_piece(pass) &&
                         hak_kept_purge_piece(pass) && (!pass->chunks_first || hak_partial_purge_piece(pass)) &&
                         hak_thread_purge_piece(pass);
    lock_release(&purge_lock);
    /* Relaxed: a hint. Who waits for the lock is slower than who takes it again at once. */
    if (hak_load_relaxed(&purge_forks) != 0) {
        hak_os_sleep_ms(1);
    }
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
        spent += pass->left < piece ? piece - pass->left : piece;
        if (purge_is_to_stop()) {
            break;
        }
    }
    return false;
}

/* What the program has shown that it takes back at once, bytes, and how that is found out: what was given back as too much,
 * when, and how much was in the allocator's hands then. A program that takes half of it again within the delay loses more
 * by the page faults than the memory is worth, and may keep twice as much from then on. All atomic, relaxed: hints, and two
 * polls at once make them a little wrong at most. */
static struct {
    size_t may_wait;
    size_t given, level;
    uint64_t given_at_ms;
} purge_learned;

static size_t purge_committed_bytes(void) { return hak_held_bytes() + hak_purge_waiting_bytes(); }

static void purge_learn(uint64_t now, size_t bound, size_t in_use) {
    const size_t given = hak_load_relaxed(&purge_learned.given);
    if (given == 0) {
        return;
    }
    if (now - hak_load_relaxed(&purge_learned.given_at_ms) > (uint64_t)hak_load_relaxed(&hak_options.purge_delay_ms)) {
        hak_store_relaxed(&purge_learned.given, (size_t)0);
    } else if (purge_committed_bytes() > hak_load_relaxed(&purge_learned.level) + given / 2) {
        const size_t most = 2 * in_use > PURGE_LEARNED_BYTES ? 2 * in_use : PURGE_LEARNED_BYTES;
        hak_store_relaxed(&purge_learned.may_wait, 2 * bound < most ? 2 * bound : most);
        hak_store_relaxed(&purge_learned.given, (size_t)0);
    }
}

/* So much was given back that nobody wanted for the whole delay. */
static void purge_unlearn(size_t aged) {
    const size_t may_wait = hak_load_relaxed(&purge_learned.may_wait);
    if (aged > may_wait / 4) {
        hak_store_relaxed(&purge_learned.may_wait, may_wait / 2);
    }
}

static void purge_note_given(uint64_t now, size_t bytes) {
    if (bytes > 0) {
        hak_store_relaxed(&purge_learned.given, hak_load_relaxed(&purge_learned.given) + bytes);
        hak_store_relaxed(&purge_learned.level, purge_committed_bytes());
        hak_store_relaxed(&purge_learned.given_at_ms, now);
    }
}

/* Purges what has decayed, at most so much. */
static void purge_run(uint64_t now, size_t bytes) {
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    if (!hak_decay_take() || delay_ms < 0) {
        return;
    }
    const uint64_t delay = (uint64_t)delay_ms;
    DISTURB();
    struct decay_pass pass = purge_pass(now > delay ? now - delay : 0);
    const bool is_over = purge_some(&pass, bytes);
    purge_unlearn(pass.purged);
    if (!is_over) {
        hak_decay_schedule(now);
    } else if (purge_to_do_bytes() > 0 || record_unpurged_bytes() > 0) {
        /* A quarter of the delay: nothing stays longer than one and a quarter of it. What was refused is not looked for. */
        hak_decay_schedule(now + delay / 4 + 1);
    }
}

void hak_purge_start_later(void (*start)(void)) {
    /* Release: pairs with the exchange; what was written before is there for `start`. */
    hak_store_release(&purge_waiting_start, start);
    /* A look is due at once, so that no poll has more to test than that. */
    hak_decay_schedule(1);
}

static void purge_start_waiting(void) {
    /* Relaxed: a hint, and seldom anything. */
    if (hak_load_relaxed(&purge_waiting_start) == NULL || hak_own_thread_users() == 0) {
        return;
    }
    /* Acquire: one poll takes it. */
    void (*const start)(void) = hak_exchange_acquire(&purge_waiting_start, (void (*)(void))NULL);
    if (start != NULL) {
        start();
    }
}

/* Purges so much, the oldest first. Result: how much. */
static size_t purge_oldest(uint64_t now, size_t bytes) {
    /* As old as half of the delay at least, then an eighth, then any. Relaxed: see options.h. */
    const uint64_t delay = (uint64_t)hak_load_relaxed(&hak_options.purge_delay_ms);
    const uint64_t ages[] = {delay / 2, delay / 8, 0};
    size_t left = bytes, purged = 0;
    for (unsigned i = 0; i < sizeof ages / sizeof ages[0] && left > 0; i++) {
        struct decay_pass pass = purge_pass(ages[i] == 0 ? DECAY_ALL_NEW : now > ages[i] ? now - ages[i] : 0);
        pass.chunks_first = true;
        const bool is_over = purge_some(&pass, left);
        purged += pass.purged;
        left = is_over && left > pass.purged ? left - pass.purged : 0;
    }
    return purged;
}

/* What is resident for the program's sake. */
static size_t purge_in_use_bytes(void) {
    const size_t held = hak_held_bytes(), free = hak_partial_unpurged_bytes() + hak_partial_purged_bytes();
    return held > free ? held - free : 0;
}

/* That, and what waits: purge_in_use_bytes() + purge_to_do_bytes(), but for snapshots. */
static size_t purge_resident_bytes(void) {
    const size_t sum = hak_held_bytes() + hak_purge_waiting_bytes();
    const size_t gone = hak_partial_purged_bytes() + hak_region_refused_bytes() + hak_kept_refused_bytes();
    return sum > gone ? sum - gone : 0;
}

/* Ends the sleep of the thread that purges once more waits beside what is in use than may. */
static void purge_nudge(void) {
    size_t look_at = hak_load_relaxed(&purge_look_at);
    if (look_at != SIZE_MAX && purge_resident_bytes() > look_at &&
        /* Acquire-release: one poll nudges. */
        hak_compare_exchange_acq_rel(&purge_look_at, &look_at, SIZE_MAX)) {
        hak_own_thread_nudge(OWN_THREAD_PURGE);
    }
}

/* Purges what is too much beside what is in use, and sleeps until `due`, or until there is more to do. */
static void purge_share_and_sleep(uint64_t now, uint64_t due) {
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms); /* mallopt may have changed it to never */
    const size_t excess = delay_ms < 0 ? 0
                                       : hak_purge_share_excess(&purge_share, now, (uint64_t)delay_ms,
                                                                purge_in_use_bytes(), purge_to_do_bytes());
    if (excess > 0) {
        hak_purge_share_spend(&purge_share, purge_oldest(now, excess));
    }
    /* Relaxed, all. A poll that does not see it yet may be the last, so the first sleep with it is short, and it stays until a poll takes it:
     * the look after that sleep sees what such polls have added, and later ones nudge. */
    const size_t look_at = hak_purge_share_look_at(&purge_share, purge_resident_bytes());
    const bool is_settled = look_at != SIZE_MAX && look_at == hak_load_relaxed(&purge_look_at);
    hak_store_relaxed(&purge_look_at, look_at);
    const uint64_t left = due - now;
    (void)hak_own_thread_sleep(OWN_THREAD_PURGE, is_settled || left < PURGE_SHARE_MS ? left : PURGE_SHARE_MS);
}

static void purge_while_something_waits(void) {
    uint64_t due;
    while (!hak_own_thread_must_end(OWN_THREAD_PURGE) && (due = decay_due_ms()) != 0) {
        const uint64_t now = hak_os_clock_ms();
        if (now >= due) {
            purge_run(now, SIZE_MAX);
        } else {
            purge_share_and_sleep(now, due);
        }
    }
}

/* Sleeps that long, or until more waits beside what is in use than may. true: that is so */
static bool purge_sleep_idle(uint64_t duration_ms) {
    const size_t look_at = hak_purge_share_look_at(&purge_share, purge_resident_bytes());
    const uint64_t end = hak_os_clock_ms() + duration_ms;
    /* The first sleep is short, and its end does not wait for a nudge: as in purge_share_and_sleep. */
    uint64_t most = PURGE_SHARE_MS;
    for (uint64_t now; (now = hak_os_clock_ms()) < end; most = duration_ms) {
        /* Relaxed: as there. Anew for each sleep, since a nudge has taken it, and less may wait by now. */
        hak_store_relaxed(&purge_look_at, look_at);
        if (!hak_own_thread_sleep(OWN_THREAD_PURGE, end - now < most ? end - now : most)) {
            return false;
        }
        if (decay_due_ms() != 0 && purge_resident_bytes() > look_at) {
            return true;
        }
    }
    return false;
}

/* When nothing waits: whoever stopped allocating just now is found idle only later. true: more waits meanwhile than may */
static bool purge_wait_for_idle(void) {
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    for (unsigned looks = 0; looks < 2 && delay_ms > 0 && decay_due_ms() == 0 && hak_idle_is_pending() &&
                             !hak_own_thread_must_end(OWN_THREAD_PURGE);
         looks++) {
        if (purge_sleep_idle((uint64_t)delay_ms)) {
            return true;
        }
        const uint64_t now = hak_os_clock_ms();
        struct decay_pass pass = purge_pass(now > (uint64_t)delay_ms ? now - (uint64_t)delay_ms : 0);
        (void)purge_some(&pass, PURGE_PIECE_BYTES);
    }
    return false;
}

/* Purges as long as something waits, then ends: a program that only once had much to give back does not keep a thread for
 * it. */
static void purge_thread(void) {
    /* Relaxed: it was written before the thread was begun. */
    hak_purge_share_begin(&purge_share, hak_os_clock_ms(), hak_load_relaxed(&purge_begin_at));
    do {
        do {
            purge_while_something_waits();
        } while (purge_wait_for_idle());
        /* Whoever scheduled a look in between saw that this thread ran, or is seen here. */
        hak_own_thread_leave(OWN_THREAD_PURGE);
    } while (!hak_own_thread_must_end(OWN_THREAD_PURGE) && hak_decay_is_due() && hak_own_thread_stay(OWN_THREAD_PURGE));
}

static bool purge_may_have_thread(uint64_t now) {
    const enum hak_purge_thread option = hak_options.purge_thread;
    return option != HAK_PURGE_THREAD_NEVER && hak_own_thread_users() > (option == HAK_PURGE_THREAD_AUTO ? 1 : 0) &&
           now >= hak_load_relaxed(&purge_thread_again_ms);
}

/* true: the thread runs */
static bool purge_start_thread(uint64_t now) {
    /* Relaxed: where two begin it at once, both know the moment. Not when the thread gets to run: on a busy machine the program may have
     * freed much by then. */
    hak_store_relaxed(&purge_begin_at, purge_resident_bytes());
    if (hak_own_thread_start(OWN_THREAD_PURGE, purge_thread) == 0) {
        return true;
    }
    /* Relaxed: a hint. */
    hak_store_relaxed(&purge_thread_again_ms, now + PURGE_THREAD_AGAIN_MS);
    return false;
}

/* Purges what is more than the bound, and a quarter more, so that not every call has to. */
static void purge_to_bound(uint64_t now, size_t most) {
    const size_t to_do = purge_to_do_bytes(), held = hak_held_bytes(), unpurged = hak_partial_unpurged_bytes();
    const size_t in_use = held > unpurged ? held - unpurged : 0;
    size_t bound = in_use > PURGE_BOUND_BYTES ? in_use : PURGE_BOUND_BYTES;
    const size_t may_wait = hak_load_relaxed(&purge_learned.may_wait);
    bound = may_wait > bound ? may_wait : bound;
    purge_learn(now, bound, in_use);
    if (to_do > bound) {
        const size_t bytes = to_do - (bound - bound / 4);
        purge_note_given(now, purge_oldest(now, bytes < most ? bytes : most));
    }
}

static void purge_poll_now(bool may_start) {
    if (may_start) {
        purge_start_waiting();
    }
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    const uint64_t due = decay_due_ms();
    if (due == 0) {
        return;
    }
    if (hak_own_thread_runs(OWN_THREAD_PURGE)) {
        purge_nudge();
        return;
    }
    const size_t to_do = purge_to_do_bytes(), waited = hak_load_relaxed(&purge_waited);
    const size_t most = PURGE_POLL_BYTES(to_do > waited ? to_do - waited : 0);
    const uint64_t now = hak_os_clock_ms();
    if (now >= due || delay_ms == 0) {
        purge_run(now, most);
    }
    /* Also where a look was due: what was too young for it would wait for a poll that may never come. */
    if (delay_ms > 0 && may_start && purge_to_do_bytes() > PURGE_THREAD_BYTES && purge_may_have_thread(now) &&
        purge_start_thread(now)) {
        return;
    }
    if (delay_ms >= 0) {
        purge_to_bound(now, most);
    }
    hak_store_relaxed(&purge_waited, purge_to_do_bytes());
}

static void purge_poll_from(bool may_start) {
    const int saved_errno = errno;
    purge_poll_now(may_start);
    /* Relaxed: a hint; whoever takes it acquires. What could not be started here waits for the next poll. */
    if (hak_load_relaxed(&purge_waiting_start) != NULL) {
        hak_decay_schedule(1);
    }
    errno = saved_errno;
}

void hak_purge_poll_due(const void *caller) { purge_poll_from(caller != NULL && !hak_os_is_c_library(caller)); }

void hak_purge_poll_due_alloc(const void *caller) {
    purge_poll_from(caller != NULL && (!hak_os_knows_c_library() || !hak_os_is_c_library(caller)));
}

/* Relaxed, both: a hint for the thread that purges. */
void hak_purge_fork_begin(void) { (void)hak_fetch_add_relaxed(&purge_forks, 1u); }

void hak_purge_fork_end(void) { (void)hak_fetch_add_relaxed(&purge_forks, (uint32_t)-1); }

void hak_purge_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&purge_lock, fork); }

void hak_purge_fork_child(void) {
    /* Relaxed, all: the child has one thread. Others of the parent may have wanted to fork too. */
    hak_store_relaxed(&purge_forks, 0u);
    hak_store_relaxed(&purge_is_child, true);
    hak_store_relaxed(&purge_look_at, (size_t)SIZE_MAX);
    /* A look that a thread had taken upon itself is lost with it. */
    if (purge_to_do_bytes() > 0 || record_unpurged_bytes() > 0) {
        hak_decay_note_freed(hak_os_clock_ms());
    }
}

void hak_purge_idle_record(struct hak_thread *record) {
    if (hak_record_used_bytes(record) > PURGE_IDLE_BYTES) {
        (void)hak_record_purge(record, purge_pass(0).by_mapping);
    }
}

size_t hak_purge_all(void) {
    struct decay_pass pass = purge_pass(DECAY_EVERYTHING);
    (void)purge_some(&pass, SIZE_MAX);
    return pass.purged;
}
