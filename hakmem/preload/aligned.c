/* SPDX-License-Identifier: MIT */
/* libc's four functions for aligned blocks. Each treats an alignment that is no power of two in its own way, as glibc does. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "hakmem/base/bits.h"
#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/preload/preload.h"
#include "hakmem/sample/profile.h"

/* pre: `alignment` is a power of two. NULL with errno ENOMEM */
static void *aligned_block(size_t alignment, size_t size) {
    if (alignment > HAK_ALIGNMENT_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return hak_aligned_alloc(alignment, size);
}

/* Rounds an alignment up to a power of two, as glibc does. */
PRELOAD_API void *memalign(size_t alignment, size_t size) {
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    size_t rounded = 1;
    while (rounded < alignment) {
        rounded *= 2;
    }
    return aligned_block(rounded, size);
}

/* C17: an alignment that is not supported is an error. The size need not be a multiple of it. */
PRELOAD_API void *aligned_alloc(size_t alignment, size_t size) {
    if (!bits_is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return aligned_block(alignment, size);
}

/* The error is the result: errno and *p keep what they held. */
PRELOAD_API int posix_memalign(void **p, size_t alignment, size_t size) {
    if (!bits_is_power_of_two(alignment) || alignment % sizeof(void *) != 0) {
        return EINVAL;
    }
    const int saved_errno = errno;
    const bool entered = profile_enter(profile_call(__builtin_return_address(0)));
    void *block = aligned_block(alignment, size);
    profile_leave(entered);
    if (block == NULL) {
        errno = saved_errno;
        return ENOMEM;
    }
    *p = block;
    return 0;
}

PRELOAD_API void *valloc(size_t size) { return hak_aligned_alloc(hak_os_page_size(), size); }

#ifdef __GLIBC__
/* valloc of whole pages. */
PRELOAD_API void *pvalloc(size_t size) {
    const size_t page = hak_os_page_size();
    size_t bytes;
    if (__builtin_add_overflow(size, page - 1, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return hak_aligned_alloc(page, bytes & ~(page - 1));
}
#endif

PRELOAD_ALIAS_GLIBC(__libc_memalign, memalign);
PRELOAD_ALIAS_GLIBC(__libc_valloc, valloc);
PRELOAD_ALIAS_GLIBC(__libc_pvalloc, pvalloc);
