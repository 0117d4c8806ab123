/* SPDX-License-Identifier: MIT */
/* What the features zero, check, canary and pages do when a block is allocated, and when it is freed.
 *
 * Called by front/guarded.c while no other thread can reach the block. `block_bytes` is the size of the class or the mapping,
 * `size` what the program asked for. Any thread, no lock. A fault that is found here is repaired here and reported by front, so
 * that the program can go on if the policy says so. */
#ifndef HAKMEM_GUARD_BLOCK_H
#define HAKMEM_GUARD_BLOCK_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/guard/canary.h"
#include "hakmem/guard/clear.h"
#include "hakmem/guard/guard.h"

/* What to ask a pool for, so that a block has room for its canary. pre: size <= PTRDIFF_MAX */
HAK_ALWAYS_INLINE size_t guard_block_padded(size_t size) {
    return guard_has(HAK_FEATURE_CANARY) ? size + CANARY_BYTES : size;
}

enum guard_give {
    GUARD_GIVEN,
    GUARD_GIVEN_WRITTEN, /* it was written while it was free */
    GUARD_NOT_GIVEN,     /* it cannot be made accessible, for want of mappings; it is as it was */
};

/* Before the program gets the block. `fresh`: its memory is new from the system, or was purged; of a block above L2 only what is
 * resident is looked at then. pre: block_bytes >= guard_block_padded(size) */
enum guard_give hak_guard_block_give(void *p, size_t block_bytes, size_t size, bool fresh);

/* When the program gives the block back. *resident: whether all of a block above L2 is known to be resident, so that the
 * system need not be asked; what is known afterwards. */
void hak_guard_block_take(void *p, size_t block_bytes, bool *resident);

/* Whether the bytes behind the block are as they were; *size is what was asked for, as far as that can be told: where
 * canaries are off, or were overwritten, what the block has room for. */
HAK_ALWAYS_INLINE bool guard_block_is_intact(const void *p, size_t block_bytes, size_t *size) {
    if (!guard_has(HAK_FEATURE_CANARY)) {
        *size = block_bytes;
        return true;
    }
    if (HAK_UNLIKELY(!canary_read(p, block_bytes, size))) {
        *size = block_bytes - CANARY_BYTES;
        return false;
    }
    return true;
}

/* The block at p stays, for another size. pre: block_bytes >= guard_block_padded(size) */
HAK_ALWAYS_INLINE void guard_block_resize(void *p, size_t block_bytes, size_t size) {
    if (guard_has(HAK_FEATURE_CANARY)) {
        canary_write(p, block_bytes, size);
    }
}

/* Whether a block that was just given out reads zero, but for its canary. */
HAK_ALWAYS_INLINE bool guard_block_is_zero(size_t block_bytes) {
    return guard_has(HAK_FEATURE_ZERO) && (block_bytes >= GUARD_LARGE_BYTES || guard_has(HAK_FEATURE_CHECK));
}

#endif
