/* SPDX-License-Identifier: MIT */
/* See purge_thread.h. */
#include "hakmem/process/purge_thread.h"

#include <errno.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/magazine/idle.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge_bound.h"
#include "hakmem/process/purge_later.h"
#include "hakmem/process/purge_pass.h"
#include "hakmem/process/purge_share.h"
#include "hakmem/region/decay.h"

static size_t purge_look_at = SIZE_MAX; /* atomic; see hak_purge_share_look_at; SIZE_MAX: the thread needs no nudge */
static size_t purge_begin_at;           /* atomic; hak_purge_resident_bytes when the thread was last begun */
static struct purge_share purge_share;  /* of the thread that purges */
static uint64_t purge_thread_again_ms;  /* atomic; no thread was to be had: not before this time again */

/* How long the thread sleeps at most while more waits than its allowance lets it purge, and before it sleeps for long. */
#define PURGE_SHARE_MS 50

/* How long a refused thread is not asked for again. */
#define PURGE_THREAD_AGAIN_MS 1000

void hak_purge_thread_nudge(void) {
    size_t look_at = hak_load_relaxed(&purge_look_at);
    if (look_at != SIZE_MAX && hak_purge_resident_bytes() > look_at &&
        /* Acquire-release: one poll nudges. */
        hak_compare_exchange_acq_rel(&purge_look_at, &look_at, SIZE_MAX)) {
        hak_own_thread_nudge(OWN_THREAD_PURGE);
    }
}

/* Purges what is too much beside what is in use, and sleeps until `due`, or until there is more to do. No longer than a delay: what is
 * freed meanwhile wakes nobody, and is due before a look that is further ahead, as one for huge pages is (region.h). true: such a
 * look is, and the thread has not to end */
static bool purge_share_and_sleep(uint64_t now, uint64_t due) {
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms); /* mallopt may have changed it to never */
    const size_t excess = delay_ms < 0 ? 0
                                       : hak_purge_share_excess(&purge_share, now, (uint64_t)delay_ms,
                                                                hak_purge_in_use_bytes(), hak_purge_to_do_bytes());
    if (excess > 0) {
        hak_purge_share_spend(&purge_share, hak_purge_oldest(now, excess));
    }
    /* Relaxed, all. A poll that does not see it yet may be the last, so the first sleep with it is short, and it stays until a poll takes it:
     * the look after that sleep sees what such polls have added, and later ones nudge. */
    const size_t look_at = hak_purge_share_look_at(&purge_share, hak_purge_resident_bytes());
    const bool is_settled = look_at != SIZE_MAX && look_at == hak_load_relaxed(&purge_look_at);
    hak_store_relaxed(&purge_look_at, look_at);
    const uint64_t ahead = due - now, most = delay_ms < 0 ? ahead : (uint64_t)delay_ms + 1;
    const uint64_t left = ahead < most ? ahead : most;
    return hak_own_thread_sleep(OWN_THREAD_PURGE, is_settled || left < PURGE_SHARE_MS ? left : PURGE_SHARE_MS) &&
           ahead > most;
}

static void purge_while_something_waits(void) {
    uint64_t due;
    while (!hak_own_thread_must_end(OWN_THREAD_PURGE) && (due = decay_due_ms()) != 0) {
        const uint64_t now = hak_os_clock_ms();
        if (now >= due) {
            hak_purge_aged(now, SIZE_MAX);
        } else if (purge_share_and_sleep(now, due) && hak_idle_is_pending()) {
            hak_purge_idle(hak_os_clock_ms()); /* who becomes idle does not wait for that look either */
        }
    }
}

/* Sleeps that long, or until more waits beside what is in use than may. true: that is so */
static bool purge_sleep_idle(uint64_t duration_ms) {
    const size_t look_at = hak_purge_share_look_at(&purge_share, hak_purge_resident_bytes());
    const uint64_t end = hak_os_clock_ms() + duration_ms;
    /* The first sleep is short, and its end does not wait for a nudge: as in purge_share_and_sleep. */
    uint64_t most = PURGE_SHARE_MS;
    for (uint64_t now; (now = hak_os_clock_ms()) < end; most = duration_ms) {
        /* Relaxed: as there. Anew for each sleep, since a nudge has taken it, and less may wait by now. */
        hak_store_relaxed(&purge_look_at, look_at);
        if (!hak_own_thread_sleep(OWN_THREAD_PURGE, end - now < most ? end - now : most)) {
            return false;
        }
        if (decay_due_ms() != 0 && hak_purge_resident_bytes() > look_at) {
            return true;
        }
    }
    return false;
}

/* When nothing waits: whoever stopped allocating just now is found idle only later. true: more waits meanwhile than may */
static bool purge_wait_for_idle(void) {
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    /* With a short delay as long as a look is not made again: one that is left out finds nobody. */
    const uint64_t wait_ms = delay_ms > PURGE_IDLE_LOOK_MS ? (uint64_t)delay_ms : PURGE_IDLE_LOOK_MS;
    for (unsigned looks = 0; looks < 2 && delay_ms > 0 && decay_due_ms() == 0 && hak_idle_is_pending() &&
                             !hak_own_thread_must_end(OWN_THREAD_PURGE);
         looks++) {
        if (purge_sleep_idle(wait_ms)) {
            return true;
        }
        hak_purge_idle(hak_os_clock_ms());
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
    /* It may have taken the look for what a poll has to start. Not before: it would stay for that look, and the next. */
    hak_purge_later_schedule();
}

static bool purge_may_have_thread(uint64_t now) {
    const enum hak_purge_thread option = hak_options.purge_thread;
    return option != HAK_PURGE_THREAD_NEVER && hak_own_thread_users() > (option == HAK_PURGE_THREAD_AUTO ? 1 : 0) &&
           now >= hak_load_relaxed(&purge_thread_again_ms) &&
           (now >= hak_own_thread_from_ms(OWN_THREAD_PURGE) || hak_purge_to_do_bytes() > PURGE_BOUND_BYTES);
}

bool hak_purge_thread_start(uint64_t now) {
    if (!purge_may_have_thread(now)) {
        return false;
    }
    /* Relaxed: where two begin it at once, both know the moment. Not when the thread gets to run: on a busy machine the program may have
     * freed much by then. */
    hak_store_relaxed(&purge_begin_at, hak_purge_resident_bytes());
    hak_purge_unlock_gone();
    const int error = hak_own_thread_start(OWN_THREAD_PURGE, purge_thread);
    if (error != 0 && error != EBUSY) { /* EBUSY: another call has begun it just now, or it is about to end */
        /* Relaxed: a hint. */
        hak_store_relaxed(&purge_thread_again_ms, now + PURGE_THREAD_AGAIN_MS);
    }
    return error == 0;
}

void hak_purge_thread_fork_child(void) { hak_store_relaxed(&purge_look_at, (size_t)SIZE_MAX); }
