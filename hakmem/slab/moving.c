/* SPDX-License-Identifier: MIT */
/* See moving.h. */
#include "hakmem/slab/moving.h"

#include "hakmem/base/atomic.h"

static uint64_t moving_begun; /* atomic */
static uint64_t moving_done;  /* atomic */

void hak_moving_begin(void) {
    /* Relaxed, with a fence behind it: pairs with the one of hak_reading_begin. Who saw any store of the change sees
     * that it began. */
    hak_fetch_add_relaxed(&moving_begun, (uint64_t)1);
    hak_fence_release();
}

/* Acquire-release: pairs with hak_moving_look; who sees the end sees the change. */
void hak_moving_end(void) { hak_fetch_add_acq_rel(&moving_done, (uint64_t)1); }

/* Relaxed, both: the child has one thread. */
void hak_moving_fork_child(void) { hak_store_relaxed(&moving_done, hak_load_relaxed(&moving_begun)); }

bool hak_moving_look(uint64_t *begun) {
    /* Acquire, both: pair with hak_moving_end, and let nothing that is read next be read before. The end first: what
     * begins later makes the two differ. */
    const uint64_t done = hak_load_acquire(&moving_done);
    *begun = hak_load_acquire(&moving_begun);
    return *begun == done;
}
