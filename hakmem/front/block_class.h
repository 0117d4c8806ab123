/* SPDX-License-Identifier: MIT */
/* The class and the size of a block, also of one that the page map hides because it was sampled. For slow paths. */
#ifndef HAKMEM_FRONT_BLOCK_CLASS_H
#define HAKMEM_FRONT_BLOCK_CLASS_H

#include "hakmem/front/front_fast.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/exchange_check.h"
#include "hakmem/sample/profile.h"
#include "hakmem/slab/slab.h"

/* front_class_of, but that a sampled block that starts at p has its class too. 0: huge or not ours */
HAK_ALWAYS_INLINE unsigned front_block_class(const void *p) {
    /* What the flat form says of an address of user space is so; 0 may be for another reason. */
    const bool is_said = !HAK_GUARD_EXACT && (uintptr_t)p >> HAK_ADDRESS_BITS == 0 && page_map_class(p) != 0;
    const unsigned class_index = HAK_LIKELY(is_said) ? page_map_class(p) : front_class_of(p);
    return HAK_UNLIKELY(class_index == 0 && sampling_was_on()) ? hak_profile_class(p) : class_index;
}

/* Bytes of the live block that starts at p; 0 where none does. Without guard a block that lies in a magazine counts as live, unless
 * it is the one that the calling thread freed last. pre: class_index == front_block_class(p); not with guard full */
HAK_ALWAYS_INLINE size_t front_block_bytes(const void *p, unsigned class_index) {
    if (HAK_UNLIKELY(class_index == 0)) {
        return hak_huge_usable_size(p);
    }
    struct slab_position position;
    if (!HAK_GUARD_EXACT &&
        HAK_UNLIKELY(!slab_locate(p, class_index, &position) || position.offset != 0 ||
                     slab_has_free(&position, class_index) || exchange_just_freed(class_index, p))) {
        return 0;
    }
    return hak_classes[class_index].block_size;
}

#endif
