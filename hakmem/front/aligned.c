/* hak_aligned_alloc: a class whose blocks are aligned by themselves, else a mapping. */
#include <errno.h>

#include "hakmem/base/bits.h"
#include "hakmem/front/front_fast.h"
#include "hakmem/huge/huge.h"

/* The smallest class from that of `size` on whose blocks all lie at multiples of `alignment`; 0: none.
 * Slabs start at chunks, so block i lies at a multiple of a chunk plus i * block size. */
static unsigned aligned_class(size_t alignment, size_t size) {
    if (alignment > HAK_CHUNK_BYTES || size > HAK_L25_MAX) {
        return 0;
    }
    for (unsigned class_index = size_class_of(size); class_index < HAK_CLASS_COUNT; class_index++) {
        const struct hak_class *constants = &hak_classes[class_index];
        if (constants->blocks == 1 || constants->block_size % alignment == 0) {
            return class_index;
        }
    }
    return 0;
}

void *hak_aligned_alloc(size_t alignment, size_t size) {
    if (!bits_is_power_of_two(alignment) || alignment > HAK_ALIGNMENT_MAX) {
        errno = EINVAL;
        return NULL;
    }
    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    const unsigned class_index = aligned_class(alignment, size);
    if (class_index != 0) {
        return pool_alloc(class_index);
    }
    bool zeroed;
    return huge_alloc(size, alignment, &zeroed);
}
