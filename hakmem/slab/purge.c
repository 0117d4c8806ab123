/* See purge.h. When to look is region/decay.h's; what to look at is here: free chunks, kept mappings, and
 * the pages of PARTIAL slabs that hold no block in use. */
#include "hakmem/slab/purge.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/os/os.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/large.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"

static uint32_t purge_thread_started; /* atomic: 1 from its start on */

size_t purge_waiting_bytes(void) { return region_dirty_bytes() + large_dirty_bytes(); }

static size_t purge_freed_until(uint64_t freed_until_ms) {
    /* Slabs first: one that turns out to be free altogether joins the chunks. */
    return partial_purge(freed_until_ms) + region_purge(freed_until_ms) + large_purge(freed_until_ms);
}

static void purge_run(uint64_t now) {
    const uint64_t delay = (uint64_t)hak_options.purge_delay_ms;
    if (!decay_take()) {
        return;
    }
    purge_freed_until(now > delay ? now - delay : 0);
    if (purge_waiting_bytes() > 0 || partial_has_unpurged()) {
        /* A quarter of the delay: nothing stays longer than one and a quarter of it. */
        decay_schedule(now + delay / 4 + 1);
    }
}

static void *purge_thread(void *unused) {
    (void)unused;
    for (;;) {
        decay_wait();
        const uint64_t due = decay_due_ms(), now = os_clock_ms();
        if (due != 0 && now >= due) {
            purge_run(now);
        }
    }
    return NULL;
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

void purge_poll(void) {
    const uint64_t due = decay_due_ms();
    /* Relaxed: whether the thread runs already is only a hint. */
    if (HAK_LIKELY(due == 0) || hak_load_relaxed(&purge_thread_started) != 0) {
        return;
    }
    const uint64_t now = os_clock_ms();
    if (now >= due || hak_options.purge_delay_ms == 0) {
        purge_run(now);
    } else if (purge_waiting_bytes() > PURGE_THREAD_BYTES) {
        purge_start_thread();
    }
}

size_t purge_all(void) { return purge_freed_until(UINT64_MAX); }
