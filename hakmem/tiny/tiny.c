/* SPDX-License-Identifier: MIT */
/* The tiny pool out of line; see tiny_fast.h. */
#include "hakmem/tiny/tiny_fast.h"

#include "hakmem/base/assert.h"

void *hak_tiny_alloc_slow(size_t size) {
    HAK_CHECK(size <= HAK_TINY_MAX);
    /* Full guard builds have one way to a block, front's; so have debug builds where somebody watches. */
    return HAK_GUARD_FULL || WATCHER_RUNS() ? hak_alloc(size) : hak_pool_alloc_slow(size_class_tiny(size), size);
}

/* The public numbering counts the tiny classes from 0. */
int hak_tiny_size_to_class(size_t size) { return (int)ladder_chain_tiny(size) - HAK_TINY_CLASS_FIRST; }

int hak_tiny_size_to_class_fast(size_t size) { return (int)size_class_tiny_table(size) - HAK_TINY_CLASS_FIRST; }
