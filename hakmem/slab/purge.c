/* See purge.h. When to look is region/decay.h's; what to look at is here: free chunks, kept mappings, and
 * the pages of PARTIAL slabs that hold no block in use. */
#include "hakmem/slab/purge.h"

#include <errno.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/options.h"
#include "hakmem/os/os.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/large.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"

/* Held while something is purged, so that a fork finds nothing half-way: neither chunks nor slabs are in the
 * hands of a thread that the child does not have. */
static struct hak_lock purge_lock = HAK_LOCK_INITIALIZER(HAK_RANK_PURGE);
static uint32_t purge_thread_started; /* atomic: 1 from its start to its end */
static void (*purge_waiting_start)(void); /* atomic; see purge_start_later */

size_t purge_waiting_bytes(void) { return region_dirty_bytes() + large_dirty_bytes(); }

static size_t purge_freed_until(uint64_t freed_until_ms) {
    lock_acquire(&purge_lock);
    /* Slabs first: one that turns out to be free altogether joins the chunks. */
    size_t purged = partial_purge(freed_until_ms) + region_purge(freed_until_ms) + large_purge(freed_until_ms);
    lock_release(&purge_lock);
    return purged;
}

static void purge_run(uint64_t now) {
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    if (!decay_take() || delay_ms < 0) {
        return;
    }
    const uint64_t delay = (uint64_t)delay_ms;
    purge_freed_until(now > delay ? now - delay : 0);
    if (purge_waiting_bytes() > 0 || partial_has_unpurged()) {
        /* A quarter of the delay: nothing stays longer than one and a quarter of it. */
        decay_schedule(now + delay / 4 + 1);
    }
}

void purge_start_later(void (*start)(void)) {
    /* Release: pairs with the exchange; what was written before is there for `start`. */
    hak_store_release(&purge_waiting_start, start);
    /* A look is due at once, so that no poll has more to test than that. */
    decay_schedule(1);
}

static bool purge_may_start_thread(const void *caller) { return caller == NULL || !os_is_c_library(caller); }

static void purge_start_waiting(void) {
    /* Relaxed: a hint, and seldom anything. */
    if (hak_load_relaxed(&purge_waiting_start) == NULL) {
        return;
    }
    /* Acquire: one poll takes it. */
    void (*const start)(void) = hak_exchange_acquire(&purge_waiting_start, (void (*)(void))NULL);
    if (start != NULL) {
        start();
    }
}

/* Purges as long as something waits, then ends: a process whose other threads have all ended ends with it, and a
 * program that only once had much to give back does not keep a thread for it. */
static void *purge_thread(void *unused) {
    uint32_t stopped = 0;
    do {
        uint64_t due;
        while ((due = decay_due_ms()) != 0) {
            const uint64_t now = os_clock_ms();
            if (now >= due) {
                purge_start_waiting();
                purge_run(now);
            } else {
                os_sleep_ms(due - now);
            }
        }
        /* Sequentially consistent, both, as in decay_schedule and purge_poll: this side says that it ends and looks
         * whether anything was scheduled, the other schedules and looks whether this one runs. One of them sees. */
        (void)hak_exchange_seq_cst(&purge_thread_started, 0u);
    } while (decay_is_due() && hak_compare_exchange_acq_rel(&purge_thread_started, &stopped, 1u));
    return unused;
}

static void purge_start_thread(void) {
    uint32_t stopped = 0;
    /* Acquire-release: exactly one thread starts it. */
    if (hak_compare_exchange_acq_rel(&purge_thread_started, &stopped, 1u) &&
        os_start_thread(purge_thread, NULL) != 0) {
        /* No thread to be had: polling goes on. Relaxed: nothing hangs on it. */
        hak_store_relaxed(&purge_thread_started, 0u);
    }
}

/* Whether more waits than mallopt allows. Relaxed, here and below: see options.h. */
static bool purge_is_over_threshold(void) {
    const int64_t threshold = hak_load_relaxed(&hak_options.trim_threshold);
    return threshold >= 0 && purge_waiting_bytes() > (size_t)threshold;
}

static void purge_poll_now(const void *caller) {
    if (purge_may_start_thread(caller)) {
        purge_start_waiting();
    }
    const uint64_t due = decay_due_ms();
    if (purge_is_over_threshold()) {
        purge_freed_until(UINT64_MAX);
        return;
    }
    /* Sequentially consistent: pairs with the thread's end. */
    if (hak_load_seq_cst(&purge_thread_started) != 0) {
        return;
    }
    const uint64_t now = os_clock_ms();
    if (now >= due || hak_load_relaxed(&hak_options.purge_delay_ms) == 0) {
        purge_run(now);
    } else if (purge_waiting_bytes() + partial_unpurged_bytes() > PURGE_THREAD_BYTES && purge_may_start_thread(caller)) {
        purge_start_thread();
    }
}

void purge_poll_due(const void *caller) {
    const int saved_errno = errno;
    purge_poll_now(caller);
    /* Relaxed: a hint; whoever takes it acquires. What could not be started here waits for the next poll. */
    if (hak_load_relaxed(&purge_waiting_start) != NULL) {
        decay_schedule(1);
    }
    errno = saved_errno;
}

void purge_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&purge_lock, fork); }

void purge_fork_child(void) {
    /* Relaxed: the child has one thread. */
    hak_store_relaxed(&purge_thread_started, 0u);
    /* A look that a thread had taken upon itself is lost with it. */
    if (purge_waiting_bytes() > 0) {
        decay_note_freed(os_clock_ms());
    }
}

size_t purge_all(void) { return purge_freed_until(UINT64_MAX); }
