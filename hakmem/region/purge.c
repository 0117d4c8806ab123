/* When what is purged; see purge.h.
 *
 * purge_due_ms is 0 while nothing decays, else the time of the next look. Whoever swaps it to 0 does that
 * look: threads that poll at the same time do not repeat it. */
#include "hakmem/region/purge.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/os/os.h"
#include "hakmem/region/large.h"
#include "hakmem/region/region.h"

static uint64_t purge_due_ms;         /* atomic */
static uint32_t purge_signal;         /* atomic: counts wake-ups of the purge thread */
static uint32_t purge_thread_started; /* atomic: 1 from its start on */

static void purge_schedule(uint64_t due_ms) {
    uint64_t nothing_due = 0;
    /* Acquire-release: pairs with purge_run's exchange, so that one look follows each schedule. */
    if (!hak_compare_exchange_acq_rel(&purge_due_ms, &nothing_due, due_ms)) {
        return;
    }
    /* Acquire-release: pairs with the purge thread's acquire of the signal. */
    hak_fetch_add_acq_rel(&purge_signal, 1u);
    if (hak_load_relaxed(&purge_thread_started) != 0) {
        os_wake(&purge_signal);
    }
}

void purge_note_freed(uint64_t now_ms) {
    if (hak_options.purge_delay_ms >= 0) {
        purge_schedule(now_ms + (uint64_t)hak_options.purge_delay_ms + 1);
    }
}

size_t purge_waiting_bytes(void) { return region_dirty_bytes() + large_dirty_bytes(); }

/* Purges what was freed a delay ago or earlier, and schedules the next look where something is left. */
static void purge_run(uint64_t now) {
    uint64_t delay = (uint64_t)hak_options.purge_delay_ms;
    /* Acquire: pairs with purge_schedule. 0 again: frees from now on schedule anew. */
    if (hak_exchange_acquire(&purge_due_ms, (uint64_t)0) == 0) {
        return;
    }
    uint64_t freed_until = now > delay ? now - delay : 0;
    region_purge(freed_until);
    large_purge(freed_until);
    if (purge_waiting_bytes() > 0) {
        /* A quarter of the delay: nothing stays longer than one and a quarter of it. */
        purge_schedule(now + delay / 4 + 1);
    }
}

static void *purge_thread(void *unused) {
    (void)unused;
    for (;;) {
        /* Acquire: pairs with purge_schedule; read before the due time, so that no schedule is missed. */
        uint32_t signal = hak_load_acquire(&purge_signal);
        uint64_t due = hak_load_acquire(&purge_due_ms);
        uint64_t now = os_clock_ms();
        if (due == 0) {
            os_wait(&purge_signal, signal, -1);
        } else if (now < due) {
            os_wait(&purge_signal, signal, (int64_t)(due - now));
        } else {
            purge_run(now);
        }
    }
    return NULL;
}

void purge_poll(void) {
    /* Relaxed: a look that comes a little late is still a look. */
    uint64_t due = hak_load_relaxed(&purge_due_ms);
    if (HAK_LIKELY(due == 0)) {
        return;
    }
    if (hak_load_relaxed(&purge_thread_started) != 0) {
        return;
    }
    uint64_t now = os_clock_ms();
    if (now >= due || hak_options.purge_delay_ms == 0) {
        purge_run(now);
    } else if (purge_waiting_bytes() > PURGE_THREAD_BYTES) {
        uint32_t stopped = 0;
        /* Acquire-release: exactly one thread starts it. */
        if (hak_compare_exchange_acq_rel(&purge_thread_started, &stopped, 1u) &&
            os_start_thread(purge_thread, NULL) != 0) {
            /* No thread to be had: polling goes on. */
            hak_store_relaxed(&purge_thread_started, 0u);
        }
    }
}

size_t purge_all(void) { return region_purge(UINT64_MAX) + large_purge(UINT64_MAX); }
