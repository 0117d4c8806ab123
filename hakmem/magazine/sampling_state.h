/* SPDX-License-Identifier: MIT */
/* Whether blocks are sampled: what every slow path asks. Written by sample/profile.c under its lock, read without it. */
#ifndef HAKMEM_MAGAZINE_SAMPLING_STATE_H
#define HAKMEM_MAGAZINE_SAMPLING_STATE_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sampling_state {
    SAMPLING_UNKNOWN, /* before the process has begun: slow paths ask hak_process_begin first */
    SAMPLING_NEVER,   /* no block was ever sampled */
    SAMPLING_ON,
    SAMPLING_STOPPED = 4, /* no more are, but some may be live, and samples due in magazines */
};

extern uint32_t hak_sampling_state; /* atomic */

/* Which start of the profile this is, from 1: what was drawn before another start is of no use. Atomic; relaxed where it is
 * compared with what the same thread read before. */
extern uint32_t hak_sampling_epoch;

/* Acquire: pairs with the release of hak_profile_turn_on. A thread that sees that it is on draws next, without the lock, and
 * finds the table, its rate, the seed and the epoch. One that reads the state late samples a little later, or once more. */
HAK_ALWAYS_INLINE bool sampling_is_on(void) { return hak_load_acquire(&hak_sampling_state) == SAMPLING_ON; }

/* Whether any block of the process may have been sampled. Relaxed, here and below: what is asked for next is looked up under
 * the lock, and a thread that frees a sampled block got it from the one that allocated it, and the state with it. */
HAK_ALWAYS_INLINE bool sampling_was_on(void) { return hak_load_relaxed(&hak_sampling_state) >= SAMPLING_ON; }

/* Whether slow paths have to look closer: unless no block was ever sampled. */
HAK_ALWAYS_INLINE bool sampling_may_be_on(void) {
    return (hak_load_relaxed(&hak_sampling_state) & SAMPLING_NEVER) == 0;
}

#ifdef __cplusplus
}
#endif

#endif
