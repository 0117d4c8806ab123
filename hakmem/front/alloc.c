/* SPDX-License-Identifier: MIT */
/* hak_alloc and its slow path: which pool, once tiny's fast path had nothing. */
#include <errno.h>

#include "hakmem/front/front_fast.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/watched.h"
#include "hakmem/l2/l2_fast.h"
#include "hakmem/l25/l25_fast.h"
#include "hakmem/observe/site.h"
#include "hakmem/pool/huge.h"

/* Sizes above tiny. NULL with errno ENOMEM */
HAK_ALWAYS_INLINE void *alloc_above_tiny(size_t size) {
    if (size <= HAK_L2_MAX) {
        return l2_alloc(size);
    }
    if (size <= HAK_L25_MAX) {
        return l25_alloc(size);
    }
    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    thread_expect_outside();
    bool zeroed;
    return hak_pool_alloc_huge(size, 1, &zeroed, profile_call(__builtin_return_address(0)));
}

/* After a miss of tiny's fast path. NULL with errno ENOMEM */
HAK_ALWAYS_INLINE void *alloc_missed(size_t size) {
    if (HAK_GUARD_FULL) {
        return hak_guarded_alloc(size, __builtin_return_address(0));
    }
    if (WATCHER_RUNS()) {
        return hak_watched_alloc(1, size, __builtin_return_address(0));
    }
    return size <= HAK_TINY_MAX ? pool_alloc_missed(size_class_tiny(size), size) : alloc_above_tiny(size);
}

void *hak_front_alloc_slow(size_t size) { return alloc_missed(size); }

void *hak_alloc(size_t size) {
    void *p = tiny_pop(size);
    if (HAK_LIKELY(p != NULL)) {
        return p;
    }
    return ladder_splits_paths() ? hak_front_alloc_slow(size) : alloc_missed(size);
}

void *hak_alloc_at(size_t size, const void *site) {
    const bool entered = profile_enter(site);
    void *p = hak_alloc(size);
    profile_leave(entered);
    if (p != NULL) {
        hak_site_count(site, size);
    }
    return p;
}
