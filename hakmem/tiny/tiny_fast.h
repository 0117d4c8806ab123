/* SPDX-License-Identifier: MIT */
/* The tiny pool's fast path: 0 to 1,024 bytes.
 *
 * Called by front, and by programs that inline it; any thread. */
#ifndef HAKMEM_TINY_TINY_FAST_H
#define HAKMEM_TINY_TINY_FAST_H

#include "hakmem/base/watcher.h"
#include "hakmem/hakmem.h"
#include "hakmem/ladder/branches.h"
#include "hakmem/pool/pool.h"
#include "hakmem/size_class/size_class.h"

/* A block of at least `size` bytes, any size, from the loaded magazine. NULL: it is empty, or the size is above the pool. */
HAK_FAST_PATH void *tiny_pop(size_t size) {
    if (HAK_GUARD_FULL || WATCHER_RUNS()) {
        return NULL; /* front/guarded.h, front/watched.h */
    }
    if (ladder_refuses_tiny(&size)) {
        return NULL;
    }
    /* Guard builds also store the class. A branch in place of the table's clamp lets malloc fit a cache line again. */
    if (HAK_GUARD_EXACT && HAK_UNLIKELY(size > HAK_TINY_MAX)) {
        return NULL;
    }
    return pool_pop(size_class_tiny(size));
}

/* Allocates: fast path inlined, slow path a call. NULL with errno ENOMEM. pre: size <= HAK_TINY_MAX */
HAK_FAST_PATH void *hak_tiny_alloc_hot(size_t size) {
    void *p = tiny_pop(size);
    return HAK_LIKELY(p != NULL) ? p : hak_tiny_alloc_slow(size);
}

#endif
