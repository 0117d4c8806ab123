/* SPDX-License-Identifier: MIT */
/* Frees by callers who say what they asked for: sized and aligned free and delete. */
#ifndef HAKMEM_FRONT_SIZED_H
#define HAKMEM_FRONT_SIZED_H

#include "hakmem/base/bits.h"
#include "hakmem/front/front_fast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a caller may not know of its block. */
#define FRONT_ALIGNMENT_NONE ((size_t)1)

/* Whether a block for `size` and `alignment` is what lies at p; where it is not, `operation` by `caller` is reported as
 * misuse. Builds with guard; exact in that the block's class is the one that malloc, or hak_aligned_alloc where there is
 * an alignment, has for them. true for what is no block at all: the free that follows says so. */
HAK_COLD bool hak_front_fits(const char *operation, const void *p, size_t size, size_t alignment, const void *caller);

/* The same of a caller who does not know the size. */
HAK_COLD bool hak_front_alignment_fits(const char *operation, const void *p, size_t alignment, const void *caller);

/* Whether p certainly is a tiny block for `size`; where not, hak_front_fits decides. */
HAK_FAST_PATH bool front_fits_tiny(const void *p, size_t size) {
    const uintptr_t index = shadow_index(p);
    /* Full: what was asked for is known to the byte, but not here. */
    return !HAK_GUARD_FULL && HAK_LIKELY(index < hak_load_setting(&hak_shadow.limit)) &&
           HAK_LIKELY(size <= HAK_TINY_MAX) &&
           HAK_LIKELY(hak_load_relaxed(&hak_shadow.classes[index]) == size_class_tiny(size));
}

/* Whether blocks of the class all lie at multiples of `alignment`, a power of two: slabs start at chunks, so block i lies at
 * a multiple of a chunk plus i * block size. */
HAK_FAST_PATH bool front_class_is_aligned(unsigned class_index, size_t alignment) {
    const struct hak_class *constants = &hak_classes[class_index];
    return alignment <= HAK_CHUNK_BYTES && (constants->blocks == 1 || (constants->block_size & (alignment - 1)) == 0);
}

/* The class that hak_aligned_alloc takes its block from, the smallest that will do; 0: a mapping.
 * pre: `alignment` is a power of two */
HAK_FAST_PATH unsigned front_aligned_class(size_t alignment, size_t size) {
    if (HAK_UNLIKELY(alignment > HAK_CHUNK_BYTES || size > HAK_L25_MAX)) {
        return 0;
    }
    /* An aligned class is no smaller than the next multiple; above L2 all classes are aligned. */
    size_t least = size;
    if (size <= HAK_L2_MAX) {
        least = bits_round_up(size == 0 ? 1 : size, alignment);
        least = least > HAK_L2_MAX ? HAK_L2_MAX + 1 : least;
    }
    unsigned class_index = size_class_of(least);
    while (!front_class_is_aligned(class_index, alignment)) {
        class_index++;
    }
    return class_index;
}

#ifdef __cplusplus
}
#endif

#endif
