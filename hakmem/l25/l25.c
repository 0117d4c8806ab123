/* SPDX-License-Identifier: MIT */
/* The L2.5 (above 32 KiB to 1 MiB) pool out of line; see l25_fast.h. */
#include "hakmem/l25/l25_fast.h"

#include "hakmem/magazine/pool_whole.h"

void *hak_l25_alloc_slow(size_t size) { return hak_pool_alloc_slow(size_class_l25(size)); }

HAK_NOINLINE void *hak_l25_alloc_whole(size_t size) {
    void *p = l25_pop(size);
    return HAK_LIKELY(p != NULL) ? p : pool_alloc_missed(size_class_l25(size));
}
