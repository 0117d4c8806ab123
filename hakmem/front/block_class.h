/* The class of a block, also of one that the page map hides because it was sampled. For slow paths. */
#ifndef HAKMEM_FRONT_BLOCK_CLASS_H
#define HAKMEM_FRONT_BLOCK_CLASS_H

#include "hakmem/front/front_fast.h"
#include "hakmem/profile/profile.h"

/* front_class_of, but that a sampled block that starts at p has its class too. 0: huge or not ours */
HAK_ALWAYS_INLINE unsigned front_block_class(const void *p) {
    const unsigned class_index = front_class_of(p);
    return HAK_UNLIKELY(class_index == 0 && profile_was_on()) ? profile_class(p) : class_index;
}

#endif
