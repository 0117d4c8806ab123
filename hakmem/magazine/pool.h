/* SPDX-License-Identifier: MIT */
/* What the slab pools have in common once the class is known. Each pool adds how it finds the class. */
#ifndef HAKMEM_MAGAZINE_POOL_H
#define HAKMEM_MAGAZINE_POOL_H

#include "hakmem/ladder/counts.h"
#include "hakmem/magazine/magazine_fast.h"

/* A block of the class from the loaded magazine; NULL: the slow path. Class 0 gives NULL. */
HAK_FAST_PATH void *pool_pop(unsigned class_index) {
    void *p = magazine_pop(class_index);
    ladder_count_allocation(p, class_index);
    return p;
}

/* The slow path: exchanges, counts, lets what has decayed go. NULL with errno ENOMEM. */
HAK_NOINLINE void *hak_pool_alloc_slow(unsigned class_index);

/* The same, for callers that ask whether the block reads zero. It is learned before the poll at the end of the slow path, which
 * may allocate in the same class and so refill the magazine: what that says afterwards is of other blocks. */
HAK_NOINLINE void *hak_pool_alloc_slow_zeroed(unsigned class_index, bool *zeroed);

/* Both, for callers that know the class. NULL with errno ENOMEM. */
HAK_FAST_PATH void *pool_alloc(unsigned class_index) {
    void *p = pool_pop(class_index);
    return HAK_LIKELY(p != NULL) ? p : hak_pool_alloc_slow(class_index);
}

#endif
