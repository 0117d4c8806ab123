/* SPDX-License-Identifier: MIT */
/* The L2.5 (above 32 KiB to 1 MiB) pool's fast path.
 *
 * Called by front, and by programs that inline it. Switches: P0 picks how the class is found, P1 whether
 * the allocation is sampled, P2 who calls what (hot inline, or the whole function), P3 the explicit branches. */
#ifndef HAKMEM_L25_L25_FAST_H
#define HAKMEM_L25_L25_FAST_H

#include "hakmem/magazine/pool.h"
#include "hakmem/size_class/size_class.h"

/* A block of at least `size` bytes from the loaded magazine; NULL: the slow path, or the size is above the pool.
 * pre: size > HAK_L2_MAX */
HAK_FAST_PATH void *l25_pop(size_t size) {
    if (!HAK_P3_SENTINELS && HAK_UNLIKELY(size > HAK_L25_MAX)) {
        return NULL;
    }
    return pool_pop(size_class_l25(size));
}

/* NULL with errno ENOMEM. pre: HAK_L2_MAX < size <= HAK_L25_MAX */
HAK_COLD void *hak_l25_alloc_slow(size_t size);

/* Fast and slow path in one function: builds without P2. pre: as above */
void *hak_l25_alloc_whole(size_t size);

/* Fast path here, slow path elsewhere: builds with P2. pre: as above */
HAK_FAST_PATH void *l25_alloc_hot(size_t size) {
    void *p = l25_pop(size);
    return HAK_LIKELY(p != NULL) ? p : hak_l25_alloc_slow(size);
}

HAK_FAST_PATH void *l25_alloc(size_t size) {
    return HAK_P2_INLINE_FAST_PATH ? l25_alloc_hot(size) : hak_l25_alloc_whole(size);
}

#endif
