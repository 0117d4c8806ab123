/* SPDX-License-Identifier: MIT */
/* hak_realloc: in place where the block still fits, by moving pages where it is huge, else by copying. */
#include <errno.h>
#include <string.h>

#include "hakmem/front/block_class.h"
#include "hakmem/front/front_fast.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/misuse.h"
#include "hakmem/front/watched.h"
#include "hakmem/pool/huge.h"
#include "hakmem/sample/profile.h"

/* A block stays where it is while the new size fills at least half of it, or no smaller class would do; else
 * moving saves memory. class_index is the block's, 0 where it is huge. */
static bool realloc_stays(size_t usable, unsigned class_index, size_t size) {
    if (HAK_GUARD_EXACT) {
        /* A block's class says what was asked for last: the sized frees hold their size against it. */
        return class_index != 0 && size_class_of(size) == class_index;
    }
    return size <= usable && (size >= usable / 2 || size_class_of(size) == class_index);
}

static void *realloc_move(void *p, size_t usable, size_t size) {
    void *moved = hak_alloc(size);
    if (moved != NULL) {
        memcpy(moved, p, usable < size ? usable : size);
        hak_free(p);
    }
    return moved;
}

/* The common cases: the block stays, or it and its new place are tiny and that one is at hand. NULL: it is another case; with
 * guard every case is, and where somebody watches. */
HAK_ALWAYS_INLINE void *realloc_hot(void *p, size_t size) {
    if (HAK_GUARD_EXACT || WATCHER_RUNS() || HAK_UNLIKELY(size == 0 || (uintptr_t)p >> HAK_ADDRESS_BITS != 0)) {
        return NULL;
    }
    const unsigned class_index = page_map_class(p);
    const size_t usable = HAK_UNLIKELY(class_index == 0) ? 0 : front_block_bytes(p, class_index);
    if (HAK_UNLIKELY(usable == 0)) {
        return NULL;
    }
    /* As realloc_stays, which takes nine instructions more here. */
    if (size <= usable && size >= usable / 2) {
        return p;
    }
    if (size > HAK_TINY_MAX || usable > HAK_TINY_MAX) {
        return NULL;
    }
    if (size_class_tiny(size) == class_index) {
        return p;
    }
    void *moved = tiny_pop(size);
    if (HAK_LIKELY(moved != NULL)) {
        memcpy(moved, p, usable < size ? usable : size);
        hak_free_inline(p);
    }
    return moved;
}

/* pre: p is not NULL */
static void *realloc_block(void *p, size_t size, const void *caller) {
    if (size == 0) {
        hak_free(p);
        return NULL;
    }
    if (HAK_GUARD_FULL) {
        return hak_guarded_realloc(p, size, caller);
    }
    if (WATCHER_RUNS()) {
        return hak_watched_realloc(p, size, caller);
    }
    const unsigned class_index = front_block_class(p);
    const size_t usable = front_block_bytes(p, class_index);
    if (HAK_UNLIKELY(usable == 0)) {
        hak_misuse_stop(HAK_MISUSE_DOUBLE_FREE, "realloc", p, caller);
        errno = EINVAL;
        return NULL;
    }
    if (class_index == 0 && size > HAK_L25_MAX) {
        void *moved = hak_pool_realloc_huge(p, size);
        return moved != NULL ? moved : realloc_move(p, usable, size);
    }
    return realloc_stays(usable, class_index, size) ? p : realloc_move(p, usable, size);
}

static HAK_NOINLINE void *realloc_slow(void *p, size_t size) {
    const void *caller = __builtin_return_address(0);
    const bool entered = profile_enter(profile_call(caller));
    void *moved = realloc_block(p, size, caller);
    profile_leave(entered);
    return moved;
}

void *hak_realloc(void *p, size_t size) {
    if (p == NULL) {
        return hak_alloc_inline(size);
    }
    p = bits_untagged(p);
    void *moved = realloc_hot(p, size);
    return HAK_LIKELY(moved != NULL) ? moved : realloc_slow(p, size);
}
