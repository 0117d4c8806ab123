/* SPDX-License-Identifier: MIT */
/* The control word of a slab: state, class and count in one atomic word. See slab.h for what they mean.
 *
 * The count is in the upper bits and signed: between a drain and the addition it anticipates it is below
 * zero, and its borrow leaves state and class alone. */
#ifndef HAKMEM_SLAB_CONTROL_H
#define HAKMEM_SLAB_CONTROL_H

#include "hakmem/slab/slab.h"

#define CONTROL_COUNT_SHIFT 16

HAK_ALWAYS_INLINE uint64_t control_make(enum slab_state state, unsigned class_index) {
    return (uint64_t)state | (uint64_t)class_index << 8;
}

HAK_ALWAYS_INLINE enum slab_state control_state(uint64_t control) { return (enum slab_state)(control & 0xff); }

HAK_ALWAYS_INLINE unsigned control_class(uint64_t control) { return (unsigned)(control >> 8 & 0xff); }

HAK_ALWAYS_INLINE int64_t control_count(uint64_t control) { return (int64_t)control >> CONTROL_COUNT_SHIFT; }

/* What to add to move from one state to another and to change the count by `change`. */
HAK_ALWAYS_INLINE uint64_t control_delta(enum slab_state from, enum slab_state to, int64_t change) {
    return (uint64_t)to - (uint64_t)from + ((uint64_t)change << CONTROL_COUNT_SHIFT);
}

/* How free a slab is: 0 = FULL, 1 to 4 = the PARTIAL lists from the fullest to the emptiest, 5 = EMPTY.
 * An eighth is the least that pays for the class lock when the slab is taken. */
enum { CONTROL_LEVEL_FULL = 0, CONTROL_LEVEL_LAST = 4, CONTROL_LEVEL_EMPTY = 5 };

HAK_ALWAYS_INLINE unsigned control_level(int64_t count, int64_t blocks) {
    if (count >= blocks) {
        return CONTROL_LEVEL_EMPTY;
    }
    return (unsigned)(8 * count >= blocks) + (4 * count >= blocks) + (2 * count >= blocks) + (4 * count >= 3 * blocks);
}

#endif
