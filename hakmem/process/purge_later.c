/* SPDX-License-Identifier: MIT */
/* See purge_later.h. */
#include "hakmem/process/purge_later.h"

#include "hakmem/base/atomic.h"
#include "hakmem/os/os.h"
#include "hakmem/region/decay.h"

static void (*later_start)(void); /* atomic; NULL: nothing waits */
static uint64_t later_from_ms;    /* atomic; not before that time */

void hak_purge_start_later(void (*start)(void), uint64_t from_ms) {
    /* Relaxed: a hint. */
    hak_store_relaxed(&later_from_ms, from_ms);
    /* Release: pairs with the exchange; what was written before is there for `start`. */
    hak_store_release(&later_start, start);
    hak_decay_schedule(from_ms);
}

bool hak_purge_later_is_due(void) {
    /* Relaxed, both: hints, and seldom anything. */
    return hak_load_relaxed(&later_start) != NULL && hak_os_clock_ms() >= hak_load_relaxed(&later_from_ms);
}

void hak_purge_later_start(void) {
    /* Acquire: one poll takes it. */
    void (*const start)(void) = hak_exchange_acquire(&later_start, (void (*)(void))NULL);
    if (start != NULL) {
        start();
    }
}

void hak_purge_later_schedule(void) {
    /* Relaxed, both: hints; whoever takes it acquires. */
    if (hak_load_relaxed(&later_start) != NULL) {
        hak_decay_schedule(hak_load_relaxed(&later_from_ms));
    }
}
