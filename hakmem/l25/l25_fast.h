/* SPDX-License-Identifier: MIT */
/* The L2.5 pool: above 32 KiB to 1 MiB. It only adds how the class is found; the rest is pool/pool.h.
 *
 * Called by front for sizes above L2; any thread. */
#ifndef HAKMEM_L25_L25_FAST_H
#define HAKMEM_L25_L25_FAST_H

#include "hakmem/ladder/branches.h"
#include "hakmem/pool/pool_slow.h"
#include "hakmem/size_class/size_class.h"

/* A block of at least `size` bytes from the loaded magazine. NULL: it is empty, or the size is above the pool. pre: size > HAK_L2_MAX */
HAK_FAST_PATH void *l25_pop(size_t size) {
    return ladder_refuses_size(size, HAK_L25_MAX) ? NULL : pool_pop(size_class_l25(size));
}

/* NULL with errno ENOMEM. pre: HAK_L2_MAX < size <= HAK_L25_MAX */
LADDER_POOL_ENTRY void *l25_alloc(size_t size) {
    void *p = l25_pop(size);
    return HAK_LIKELY(p != NULL) ? p : pool_alloc_missed(size_class_l25(size), size);
}

#endif
