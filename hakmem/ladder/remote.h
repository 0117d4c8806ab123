/* SPDX-License-Identifier: MIT */
/* When a thread takes in what others freed into its active slabs, and what becomes of such a slab. In the product a refill
 * drains a slab that has run dry, or before it takes blocks that were never given out; and a slab stays with its owner
 * until a third one takes its place.
 *
 * The experiments `drain=opportunistic` and `promote=at_once`. Constants; called by refills (magazine/exchange_load.c). */
#ifndef HAKMEM_LADDER_REMOTE_H
#define HAKMEM_LADDER_REMOTE_H

#include "hakmem/base/compiler.h"
#include "hakmem/flags/flags.h"

/* Whether each slow path of malloc drains the class's active slabs. Never in the product. */
HAK_ALWAYS_INLINE bool ladder_drains_always(void) { return HAK_DRAIN_OPPORTUNISTIC; }

/* Whether a slab that had run dry, and of which a drain finds an eighth free, is given up in that drain if it is not the
 * one to take blocks from. Never in the product. */
HAK_ALWAYS_INLINE bool ladder_promotes_at_once(void) { return HAK_PROMOTE_AT_ONCE; }

#endif
