/* SPDX-License-Identifier: MIT */
/* hak_aligned_alloc: a class whose blocks are aligned by themselves, else a mapping. */
#include <errno.h>

#include "hakmem/base/bits.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/sized.h"
#include "hakmem/front/watched.h"
#include "hakmem/pool/huge.h"
#include "hakmem/sample/profile.h"

/* Where no class will do, or nothing. */
static HAK_NOINLINE void *aligned_alloc_slow(size_t alignment, size_t size) {
    if (!bits_is_power_of_two(alignment) || alignment > HAK_ALIGNMENT_MAX) {
        errno = EINVAL;
        return NULL;
    }
    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    if (HAK_GUARD_FULL) {
        return hak_guarded_aligned_alloc(alignment, size, __builtin_return_address(0));
    }
    if (WATCHER_RUNS()) {
        return hak_watched_alloc(alignment, size, __builtin_return_address(0));
    }
    bool zeroed;
    return hak_pool_alloc_huge(size, alignment, &zeroed, profile_call(__builtin_return_address(0)));
}

void *hak_aligned_alloc(size_t alignment, size_t size) {
    const bool has_class = !HAK_GUARD_FULL && !WATCHER_RUNS() && bits_is_power_of_two(alignment);
    const unsigned class_index = has_class ? front_aligned_class(alignment, size) : 0;
    return HAK_LIKELY(class_index != 0) ? pool_alloc(class_index, size) : aligned_alloc_slow(alignment, size);
}
