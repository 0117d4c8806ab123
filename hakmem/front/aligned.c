/* hak_aligned_alloc: a class whose blocks are aligned by themselves, else a mapping. */
#include <errno.h>

#include "hakmem/base/bits.h"
#include "hakmem/front/sized.h"
#include "hakmem/huge/huge.h"

void *hak_aligned_alloc(size_t alignment, size_t size) {
    if (!bits_is_power_of_two(alignment) || alignment > HAK_ALIGNMENT_MAX) {
        errno = EINVAL;
        return NULL;
    }
    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    const unsigned class_index = front_aligned_class(alignment, size);
    if (class_index != 0) {
        return pool_alloc(class_index);
    }
    bool zeroed;
    return huge_alloc(size, alignment, &zeroed);
}
