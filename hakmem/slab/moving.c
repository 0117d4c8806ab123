/* SPDX-License-Identifier: MIT */
/* See moving.h. Threads count at different places, so that those that free sampled blocks do not take a line of the cache from each
 * other. At each place what is done was begun before. */
#include "hakmem/slab/moving.h"

#include "hakmem/base/atomic.h"

#define MOVING_PLACES 16u

struct moving_place {
    uint64_t begun; /* atomic */
    uint64_t done;  /* atomic */
} HAK_CACHE_ALIGNED;

static struct moving_place moving_places[MOVING_PLACES];
static uint32_t moving_threads;              /* atomic; that have a place */
static HAK_THREAD_LOCAL uint32_t moving_own; /* owner only; the number of its place, and one more; 0: none yet */

/* Of the calling thread, for good. */
static struct moving_place *moving_place(void) {
    if (HAK_UNLIKELY(moving_own == 0)) {
        /* Relaxed: any place will do. */
        moving_own = hak_fetch_add_relaxed(&moving_threads, 1u) % MOVING_PLACES + 1;
    }
    return &moving_places[moving_own - 1];
}

void hak_moving_begin(void) {
    /* Relaxed, with a fence behind it: pairs with the one of hak_reading_begin. Who saw any store of the change sees
     * that it began. */
    hak_fetch_add_relaxed(&moving_place()->begun, (uint64_t)1);
    hak_fence_release();
    DISTURB();
}

/* Acquire-release: pairs with hak_moving_look; who sees the end sees the change. */
void hak_moving_end(void) { hak_fetch_add_acq_rel(&moving_place()->done, (uint64_t)1); }

void hak_moving_fork_child(void) {
    for (unsigned i = 0; i < MOVING_PLACES; i++) {
        /* Relaxed, both: the child has one thread. */
        hak_store_relaxed(&moving_places[i].done, hak_load_relaxed(&moving_places[i].begun));
    }
}

bool hak_moving_look(uint64_t *begun) {
    /* Acquire, all: pair with hak_moving_end, and let nothing that is read next be read before. The ends first: what begins later
     * makes the two sums differ, since no place has more of the first than of the second. */
    uint64_t done = 0;
    for (unsigned i = 0; i < MOVING_PLACES; i++) {
        done += hak_load_acquire(&moving_places[i].done);
    }
    *begun = 0;
    for (unsigned i = 0; i < MOVING_PLACES; i++) {
        *begun += hak_load_acquire(&moving_places[i].begun);
    }
    return *begun == done;
}
