/* SPDX-License-Identifier: MIT */
/* hak_realloc: in place where the block still fits, by moving pages where it is huge, else by copying. */
#include <errno.h>
#include <string.h>

#include "hakmem/front/block_class.h"
#include "hakmem/front/front_fast.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/misuse.h"
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

HAK_ALWAYS_INLINE void *realloc_block(void *p, size_t size) {
    if (p == NULL) {
        return hak_alloc(size);
    }
    if (size == 0) {
        hak_free(p);
        return NULL;
    }
    if (HAK_GUARD_FULL) {
        return hak_guarded_realloc(p, size, __builtin_return_address(0));
    }
    const unsigned class_index = front_block_class(p);
    const size_t usable = front_block_bytes(p, class_index);
    if (HAK_UNLIKELY(usable == 0)) {
        hak_misuse_stop(HAK_MISUSE_DOUBLE_FREE, "realloc", p, __builtin_return_address(0));
        errno = EINVAL;
        return NULL;
    }
    if (class_index == 0 && size > HAK_L25_MAX) {
        void *moved = hak_pool_realloc_huge(p, size);
        return moved != NULL ? moved : realloc_move(p, usable, size);
    }
    return realloc_stays(usable, class_index, size) ? p : realloc_move(p, usable, size);
}

void *hak_realloc(void *p, size_t size) {
    const bool entered = profile_enter(profile_call(__builtin_return_address(0)));
    void *moved = realloc_block(p, size);
    profile_leave(entered);
    return moved;
}
