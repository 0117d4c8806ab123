/* SPDX-License-Identifier: MIT */
/* The control word of a slab: state, class and count in one atomic word; slab.h defines them.
 *
 * The count is signed and in the upper bits. It is negative between a drain and the pending addition that the drain
 * anticipated; because nothing lies above it, its borrow does not change state or class. */
#ifndef HAKMEM_SLAB_CONTROL_H
#define HAKMEM_SLAB_CONTROL_H

#include "hakmem/slab/slab.h"

#define CONTROL_COUNT_SHIFT 16

HAK_ALWAYS_INLINE uint64_t control_make(enum slab_state state, unsigned class_index) {
    return (uint64_t)state | (uint64_t)class_index << 8;
}

/* Beside the state of a PARTIAL slab: all of its free pages were purged, and nothing was freed since. The next free
 * moves the slab to the list of those that have something to purge. Changed under the class lock. */
#define CONTROL_PURGED ((uint64_t)0x80)

/* Beside the state of a FULL or PARTIAL slab: a bit of free_bits is set. Without it a free need not look there, which
 * would be a miss of the cache for each of many slabs. Set and taken off by whoever changes the owner, since nobody changes
 * free_bits in between. */
#define CONTROL_HAS_FREE ((uint64_t)0x40)

HAK_ALWAYS_INLINE uint64_t control_has_free(uint32_t free_count) { return free_count != 0 ? CONTROL_HAS_FREE : 0; }

HAK_ALWAYS_INLINE enum slab_state control_state(uint64_t control) { return (enum slab_state)(control & 0x3f); }

/* All but the count. */
HAK_ALWAYS_INLINE uint64_t control_low(uint64_t control) {
    return control & (((uint64_t)1 << CONTROL_COUNT_SHIFT) - 1);
}

HAK_ALWAYS_INLINE unsigned control_class(uint64_t control) { return (unsigned)(control >> 8 & 0xff); }

HAK_ALWAYS_INLINE int64_t control_count(uint64_t control) { return (int64_t)control >> CONTROL_COUNT_SHIFT; }

/* The value to add to the control word to change the state and to change the count by `change`. */
HAK_ALWAYS_INLINE uint64_t control_delta(enum slab_state from, enum slab_state to, int64_t change) {
    return (uint64_t)to - (uint64_t)from + ((uint64_t)change << CONTROL_COUNT_SHIFT);
}

/* How free a slab is: 0 = FULL, 1 to 4 = the PARTIAL lists from the fullest to the emptiest, 5 = EMPTY.
 * With less than an eighth free, taking the slab would not be worth the class lock. */
enum { CONTROL_LEVEL_FULL = 0, CONTROL_LEVEL_LAST = 4, CONTROL_LEVEL_EMPTY = 5 };

HAK_ALWAYS_INLINE unsigned control_level(int64_t count, int64_t blocks) {
    if (count >= blocks) {
        return CONTROL_LEVEL_EMPTY;
    }
    return (unsigned)(8 * count >= blocks) + (4 * count >= blocks) + (2 * count >= blocks) + (4 * count >= 3 * blocks);
}

#endif
