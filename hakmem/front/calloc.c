/* SPDX-License-Identifier: MIT */
/* hak_calloc: clears only what is not known to read zero already. */
#include <errno.h>
#include <string.h>

#include "hakmem/front/front_fast.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/watched.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/pool/huge.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge.h"
#include "hakmem/sample/profile.h"

/* Not from a magazine. NULL with errno ENOMEM */
static HAK_NOINLINE void *calloc_missed(size_t bytes, unsigned class_index, const void *site, bool *zeroed) {
    const bool entered = profile_enter(site);
    void *p = class_index != 0 ? hak_pool_alloc_slow_zeroed(class_index, bytes, zeroed)
                               : hak_pool_alloc_huge(bytes, 1, zeroed, site);
    profile_leave(entered);
    if (class_index == 0 && p != NULL && !*zeroed) {
        hak_huge_clear(p, bytes, hak_own_thread_users() > 1, hak_purge_is_by_mapping());
        *zeroed = true;
    }
    return p;
}

void *hak_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    if (HAK_GUARD_FULL) {
        return hak_guarded_calloc(bytes, __builtin_return_address(0));
    }
    if (WATCHER_RUNS()) {
        return hak_watched_calloc(bytes, __builtin_return_address(0));
    }
    bool zeroed;
    const unsigned class_index = bytes <= HAK_L25_MAX ? size_class_of(bytes) : 0;
    void *p = class_index != 0 ? pool_pop(class_index) : NULL;
    if (HAK_LIKELY(p != NULL)) {
        zeroed = exchange_is_zeroed(class_index);
    } else {
        p = calloc_missed(bytes, class_index, profile_call(__builtin_return_address(0)), &zeroed);
    }
    return p == NULL || zeroed ? p : memset(p, 0, bytes);
}
