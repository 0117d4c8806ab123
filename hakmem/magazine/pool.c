/* SPDX-License-Identifier: MIT */
/* The slow path that the slab pools share; see pool.h. */
#include "hakmem/magazine/pool_slow.h"

void *hak_pool_alloc_slow(unsigned class_index) {
    bool zeroed;
    return pool_slow(class_index, &zeroed, __builtin_return_address(0));
}

void *hak_pool_alloc_slow_zeroed(unsigned class_index, bool *zeroed) {
    *zeroed = false;
    return pool_slow(class_index, zeroed, __builtin_return_address(0));
}
