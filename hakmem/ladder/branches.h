/* SPDX-License-Identifier: MIT */
/* The branches of malloc and free without switch P3. The product has sentinels in their place: a magazine that gives
 * NULL where there is nothing to give and is full where there is nothing to take, so that one test covers all of these
 * (magazine/magazine_fast.h).
 *
 * Without sentinels a magazine must always have its whole room, since an empty one is told by that; a block's owner is
 * asked before the block enters a magazine; and malloc does not look at the block that it takes. In the product
 * ladder_ignores and each ladder_refuses_* are constantly false, and the compiler drops what is computed for its
 * arguments. */
#ifndef HAKMEM_LADDER_BRANCHES_H
#define HAKMEM_LADDER_BRANCHES_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/flags/flags.h"

/* Whether free hands a block of another thread's slab to that thread at once. Never in the product, where such a block
 * waits in the returned magazine like any other. */
HAK_ALWAYS_INLINE bool ladder_asks_owner(void) { return !HAK_P3_SENTINELS; }

/* Whether a NULL in a magazine's slot ends malloc's fast path. Always in the product. */
HAK_ALWAYS_INLINE bool ladder_reads_slots(void) { return HAK_P3_SENTINELS; }

/* Whether a magazine's room may be smaller than its class's whole capacity, or none. Always in the product. */
HAK_ALWAYS_INLINE bool ladder_room_varies(void) { return HAK_P3_SENTINELS; }

/* Whether tiny has no class for *size. 0 becomes 1, which the table of the product does by itself. */
HAK_ALWAYS_INLINE bool ladder_refuses_tiny(size_t *size) {
    if (!HAK_P3_SENTINELS) {
        if (HAK_UNLIKELY(*size == 0)) {
            *size = 1;
        }
        return HAK_UNLIKELY(*size > HAK_TINY_MAX);
    }
    return false;
}

/* Whether a pool of sizes up to `most` has no class for this size. */
HAK_ALWAYS_INLINE bool ladder_refuses_size(size_t size, size_t most) {
    return !HAK_P3_SENTINELS && HAK_UNLIKELY(size > most);
}

/* Whether a magazine must not be popped: `self`, the calling thread's record, is NULL, *shadow_limit is 0, or the
 * magazine with this top holds no block: its storage has room for `slots` blocks, of which it uses `capacity`.
 * `shadow_limit` is NULL where pop does not mark blocks as live. */
HAK_ALWAYS_INLINE bool ladder_refuses_pop(const void *self, void *const *top, unsigned slots, unsigned capacity,
                                          const uintptr_t *shadow_limit) {
    if (!HAK_P3_SENTINELS) {
        const bool thread_begun = self != NULL;
        if (HAK_UNLIKELY(!thread_begun)) {
            return true;
        }
        if (shadow_limit != NULL && HAK_UNLIKELY(hak_load_setting(shadow_limit) == 0)) {
            return true;
        }
        const size_t slot = (uintptr_t)top / sizeof *top % slots;
        const bool empty = slot + capacity == slots;
        if (HAK_UNLIKELY(empty)) {
            return true;
        }
    }
    return false;
}

/* Promises the compiler that p, which a pop took, is not NULL, or the product's own test of it would be one branch
 * more. Nothing in the product. */
HAK_ALWAYS_INLINE void ladder_knows_block(const void *p) {
    if (!HAK_P3_SENTINELS && p == NULL) {
        __builtin_unreachable();
    }
}

/* Whether there is nothing to free at p. The product finds that out on the slow path: NULL is of class 0. */
HAK_ALWAYS_INLINE bool ladder_ignores(const void *p) { return !HAK_P3_SENTINELS && HAK_UNLIKELY(p == NULL); }

/* Whether p must not be pushed, as far as is known without its slab: it is no user address, `self`, the calling
 * thread's record, is NULL, or its class is 0. */
HAK_ALWAYS_INLINE bool ladder_refuses_free(const void *p, const void *self, unsigned class_index) {
    if (!HAK_P3_SENTINELS) {
        const bool in_range = (uintptr_t)p >> HAK_ADDRESS_BITS == 0;
        if (HAK_UNLIKELY(!in_range)) {
            return true;
        }
        __asm__(""); /* else the compiler makes one branch of two */
        if (HAK_UNLIKELY(self == NULL)) {
            return true;
        }
        if (HAK_UNLIKELY(class_index == 0)) {
            return true;
        }
    }
    return false;
}

#endif
