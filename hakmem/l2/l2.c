/* SPDX-License-Identifier: MIT */
/* The L2 (1,025 bytes to 32 KiB) pool out of line; see l2_fast.h. */
#include "hakmem/l2/l2_fast.h"

#include "hakmem/magazine/pool_whole.h"

void *hak_l2_alloc_slow(size_t size) { return hak_pool_alloc_slow(size_class_l2(size)); }

HAK_NOINLINE void *hak_l2_alloc_whole(size_t size) {
    void *p = l2_pop(size);
    return HAK_LIKELY(p != NULL) ? p : pool_alloc_missed(size_class_l2(size));
}
