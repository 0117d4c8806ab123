/* SPDX-License-Identifier: MIT */
/* malloc, free, calloc, realloc and their kin under libc's names.
 *
 * malloc and free hold the inlined fast path: one branch, and the slow path in tail position. Everything else
 * is a call of the function of hakmem.h that does it. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "hakmem/front/front_fast.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/misuse.h"
#include "hakmem/front/sized.h"
#include "hakmem/preload/preload.h"

PRELOAD_API HAK_HOT_ENTRY void *malloc(size_t size) { return hak_alloc_inline(size); }

PRELOAD_API HAK_HOT_ENTRY void free(void *p) { hak_free_inline(p); }

PRELOAD_API void *calloc(size_t count, size_t size) { return hak_calloc(count, size); }

PRELOAD_API void *realloc(void *p, size_t size) { return hak_realloc(p, size); }

PRELOAD_API void *reallocarray(void *p, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return hak_realloc(p, bytes);
}

#define CALLER __builtin_return_address(0)

PRELOAD_API size_t malloc_usable_size(void *p) {
    const size_t usable = hak_usable_size(p);
    /* Without guard, blocks of another malloc are none of ours: libraries opened with RTLD_DEEPBIND have some. Where somebody
     * watches, a block of size 0 has no usable byte. */
    if (HAK_UNLIKELY(usable == 0) && p != NULL && !WATCHER_RUNS() && !(HAK_GUARD_FULL && hak_guarded_is_live(p)) &&
        (HAK_GUARD_EXACT || !hak_misuse_is_foreign(p))) {
        hak_misuse_stop(HAK_MISUSE_FREED, "malloc_usable_size", p, CALLER);
    }
    return usable;
}

/* C23. What the caller knows of the block is not needed to free it; with guard it is held against the block. */
PRELOAD_API void free_sized(void *p, size_t size);
PRELOAD_API void free_sized(void *p, size_t size) {
    if (HAK_GUARD_EXACT) {
        hak_free_sized(p, size);
    } else {
        hak_free_inline(p);
    }
}

PRELOAD_API void free_aligned_sized(void *p, size_t alignment, size_t size);
PRELOAD_API void free_aligned_sized(void *p, size_t alignment, size_t size) {
    if (!HAK_GUARD_EXACT || hak_front_fits("free_aligned_sized", p, size, alignment, CALLER)) {
        hak_free_inline(p);
    }
}

/* Gone from the headers since 2.26; old programs still carry the reference. */
PRELOAD_ALIAS_GLIBC(cfree, free);

PRELOAD_ALIAS_GLIBC(__libc_malloc, malloc);
PRELOAD_ALIAS_GLIBC(__libc_free, free);
PRELOAD_ALIAS_GLIBC(__libc_calloc, calloc);
PRELOAD_ALIAS_GLIBC(__libc_realloc, realloc);
PRELOAD_ALIAS_GLIBC(__libc_reallocarray, reallocarray);
