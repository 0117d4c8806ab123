/* SPDX-License-Identifier: MIT */
/* Fast and slow path in one: the body of the out-of-line functions that builds without P2 call. */
#ifndef HAKMEM_MAGAZINE_POOL_WHOLE_H
#define HAKMEM_MAGAZINE_POOL_WHOLE_H

#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/pool.h"
#include "hakmem/magazine/profiled.h"
#include "hakmem/slab/purge.h"

/* What follows a pool's miss, inlined into the one function. NULL with errno ENOMEM. */
HAK_ALWAYS_INLINE void *pool_alloc_missed(unsigned class_index) {
    if (HAK_UNLIKELY(profile_may_be_on())) {
        bool zeroed;
        return hak_profiled_alloc(class_index, &zeroed, __builtin_return_address(0));
    }
    struct hak_thread *thread = hak_self;
    if (thread == NULL) {
        return hak_pool_alloc_slow(class_index);
    }
    void *p = exchange_alloc_begun(thread, class_index);
    if (p == NULL) {
        return hak_pool_alloc_slow(class_index);
    }
    if (HAK_GUARD_EXACT) {
        shadow_set(p, class_index);
    }
    if (!HAK_P1_BATCHED_STATS) {
        sample_allocation(class_index);
    }
    purge_poll_alloc(__builtin_return_address(0));
    return p;
}

#endif
