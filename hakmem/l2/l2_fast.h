/* SPDX-License-Identifier: MIT */
/* The L2 pool: 1,025 bytes to 32 KiB. It only adds how the class is found; the rest is pool/pool.h.
 *
 * Called by front for sizes above tiny; any thread. */
#ifndef HAKMEM_L2_L2_FAST_H
#define HAKMEM_L2_L2_FAST_H

#include "hakmem/ladder/branches.h"
#include "hakmem/pool/pool_slow.h"
#include "hakmem/size_class/size_class.h"

/* A block of at least `size` bytes from the loaded magazine. NULL: it is empty, or the size is above the pool. pre: size > HAK_TINY_MAX */
HAK_FAST_PATH void *l2_pop(size_t size) {
    return ladder_refuses_size(size, HAK_L2_MAX) ? NULL : pool_pop(size_class_l2(size));
}

/* NULL with errno ENOMEM. pre: HAK_TINY_MAX < size <= HAK_L2_MAX */
LADDER_POOL_ENTRY void *l2_alloc(size_t size) {
    void *p = l2_pop(size);
    return HAK_LIKELY(p != NULL) ? p : pool_alloc_missed(size_class_l2(size), size);
}

#endif
