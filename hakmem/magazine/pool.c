/* SPDX-License-Identifier: MIT */
/* The slow path that the slab pools share; see pool.h. */
#include "hakmem/magazine/pool.h"

#include <errno.h>

#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/profiled.h"
#include "hakmem/slab/purge.h"

/* `caller`: the return address of the function that this is inlined into. */
HAK_ALWAYS_INLINE void *pool_take_slow(unsigned class_index, bool *zeroed, const void *caller) {
    if (HAK_UNLIKELY(profile_may_be_on())) {
        return hak_profiled_alloc(class_index, zeroed, caller);
    }
    struct hak_thread *thread = hak_self;
    void *p = HAK_LIKELY(thread != NULL) ? exchange_alloc_begun(thread, class_index) : hak_exchange_alloc(class_index);
    if (HAK_UNLIKELY(p == NULL)) {
        errno = ENOMEM;
        return NULL;
    }
    if (HAK_GUARD_EXACT) {
        shadow_set(p, class_index);
    }
    if (!HAK_P1_BATCHED_STATS) {
        sample_allocation(class_index);
    }
    /* Before the poll; see pool.h. */
    *zeroed = exchange_is_zeroed(class_index);
    purge_poll_alloc(caller);
    return p;
}

void *hak_pool_alloc_slow(unsigned class_index) {
    bool zeroed;
    return pool_take_slow(class_index, &zeroed, __builtin_return_address(0));
}

void *hak_pool_alloc_slow_zeroed(unsigned class_index, bool *zeroed) {
    *zeroed = false;
    return pool_take_slow(class_index, zeroed, __builtin_return_address(0));
}
