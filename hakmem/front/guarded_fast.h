/* SPDX-License-Identifier: MIT */
/* The inlined part of free in full guard builds. */
#ifndef HAKMEM_FRONT_GUARDED_FAST_H
#define HAKMEM_FRONT_GUARDED_FAST_H

#include "hakmem/guard/block.h"
#include "hakmem/magazine/magazine_fast.h"

/* The rest of guarded_free with `zero`, where clearing is a call. */
void hak_guarded_free_larger(void *p, unsigned class_index);

/* The end of guarded_free where a signal handler filled the returned magazine meanwhile. */
HAK_COLD void hak_guarded_free_full(void *p, unsigned class_index);

/* Frees p where it is a block of tiny or L2, whole, and the returned magazine has room. Any p; where false, nothing was
 * done. The block is cleared when no other thread can have taken it for live. */
HAK_ALWAYS_INLINE bool guarded_free(void *p) {
    const unsigned features = hak_options.guard;
    const uintptr_t index = shadow_index(p);
    if (HAK_UNLIKELY(index >= hak_load_setting(&hak_shadow.limit))) {
        return false;
    }
    uint8_t *live = &hak_shadow.classes[index];
    const unsigned class_index = hak_load_relaxed(live); /* Relaxed: see shadow.h. */
    if (HAK_UNLIKELY(class_index - 1 >= HAK_L2_CLASS_LAST || magazine_is_full(class_index))) {
        return false;
    }
    const size_t block_bytes = hak_classes[class_index].block_size;
    size_t size;
    if ((features & HAK_FEATURE_CANARY) != 0 && HAK_UNLIKELY(!canary_read(p, block_bytes, &size))) {
        return false;
    }
    if (HAK_UNLIKELY(!shadow_end(live, class_index))) {
        return false;
    }
    if ((features & HAK_FEATURE_ZERO) != 0) {
        if (HAK_UNLIKELY(block_bytes > GUARD_INLINE_BYTES)) {
            hak_guarded_free_larger(p, class_index);
            return true;
        }
        guard_clear_inline(p, block_bytes);
    }
    if (HAK_UNLIKELY(!magazine_push(class_index, p))) {
        hak_guarded_free_full(p, class_index);
    }
    return true;
}

#endif
