/* SPDX-License-Identifier: MIT */
/* The slow path that the slab pools share, from the class to the block: exchange, count, return what has decayed. */
#ifndef HAKMEM_POOL_POOL_SLOW_H
#define HAKMEM_POOL_POOL_SLOW_H

#include <errno.h>

#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/sampling.h"
#include "hakmem/pool/pool.h"
#include "hakmem/process/purge.h"
#include "hakmem/sample/sampled.h"

/* Ends every slow path: p is what it got, a block or NULL. `marks`: guard builds still have to note in the shadow that p is live. */
HAK_ALWAYS_INLINE void *pool_give(void *p, unsigned class_index, bool marks, bool *zeroed, const void *caller) {
    if (HAK_UNLIKELY(p == NULL)) {
        errno = ENOMEM;
        return NULL;
    }
    if (HAK_GUARD_EXACT && marks) {
        shadow_set(p, class_index);
    }
    ladder_count_allocation(p, class_index);
    /* Before the poll, which may refill the magazine; see pool.h. */
    *zeroed = exchange_is_zeroed(class_index);
    purge_poll_alloc(caller);
    return p;
}

/* Allocates a block of the class without the fast path. `caller` is the return address of the function that this is
 * inlined into; purge_poll_alloc and the profile use it. NULL with errno ENOMEM. */
HAK_ALWAYS_INLINE void *pool_slow(unsigned class_index, size_t asked, bool *zeroed, const void *caller) {
    ladder_note_site(caller, hak_self != NULL ? hak_self->exchanges : 0);
    if (HAK_UNLIKELY(sampling_may_be_on()) && (hak_self == NULL || !sampling_is_far(hak_self, class_index))) {
        return hak_pool_alloc_sampled(class_index, asked, zeroed, caller);
    }
    struct hak_thread *thread = hak_self;
    void *p = HAK_LIKELY(thread != NULL) ? exchange_alloc_begun(thread, class_index) : hak_exchange_alloc(class_index);
    return pool_give(p, class_index, true, zeroed, caller);
}

/* What follows a miss of pool_pop. NULL with errno ENOMEM. */
HAK_ALWAYS_INLINE void *pool_alloc_missed(unsigned class_index, size_t asked) {
    bool zeroed;
    return ladder_splits_paths() ? hak_pool_alloc_slow(class_index, asked)
                                 : pool_slow(class_index, asked, &zeroed, __builtin_return_address(0));
}

#endif
