/* SPDX-License-Identifier: MIT */
/* See pool_slow.h; the functions are declared in pool.h. */
#include "hakmem/pool/pool_slow.h"

#include "hakmem/process/begin.h"
#include "hakmem/sample/hooks.h"

void *hak_pool_alloc_sampled(unsigned class_index, size_t asked, bool *zeroed, const void *caller) {
    hak_process_begin();
    void *p = pool_give(hak_sampled_alloc(class_index, asked, caller), class_index, false, zeroed, caller);
    hooks_note_sampled(p); /* last: a hook may allocate */
    return p;
}

void *hak_pool_alloc_slow(unsigned class_index, size_t asked) {
    bool zeroed;
    return pool_slow(class_index, asked, &zeroed, __builtin_return_address(0));
}

void *hak_pool_alloc_slow_zeroed(unsigned class_index, size_t asked, bool *zeroed) {
    *zeroed = false;
    return pool_slow(class_index, asked, zeroed, __builtin_return_address(0));
}
