/* What the files of this folder share: counters, error values, the aligned mapping.
 *
 * Private to hakmem/os/linux. The primitives call the functions here and never each other, so that one call
 * of the allocator counts once and the fake of the tests, which wraps the public names, sees it once. */
#ifndef HAKMEM_OS_LINUX_LINUX_H
#define HAKMEM_OS_LINUX_LINUX_H

#include <errno.h>
#include <sys/mman.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/compiler.h"
#include "hakmem/os/os.h"

/* Each field atomic. */
extern struct os_counters linux_counters;

/* Relaxed: a count orders nothing else. */
#define linux_count(field, n) ((void)hak_fetch_add_relaxed(&linux_counters.field, (n)))

/* The errno value of the call that just failed; errno itself becomes again what the caller had. */
HAK_ALWAYS_INLINE int linux_take_error(int saved_errno) {
    int error = errno;
    errno = saved_errno;
    return error;
}

/* munmap, madvise and mprotect with the conventions of os.h. */
HAK_ALWAYS_INLINE int linux_munmap(void *start, size_t size) {
    int saved_errno = errno;
    return munmap(start, size) == 0 ? 0 : linux_take_error(saved_errno);
}

HAK_ALWAYS_INLINE int linux_madvise(void *start, size_t size, int advice) {
    int saved_errno = errno;
    return madvise(start, size, advice) == 0 ? 0 : linux_take_error(saved_errno);
}

HAK_ALWAYS_INLINE int linux_mprotect(void *start, size_t size, int protection) {
    int saved_errno = errno;
    return mprotect(start, size, protection) == 0 ? 0 : linux_take_error(saved_errno);
}

/* os_map without the counting. */
int linux_map_aligned(size_t size, size_t alignment, void **out);

/* os_no_huge_pages. */
int linux_no_huge_pages(void *start, size_t size);

/* Where the next aligned mapping is likely to fit: directly below `end`. */
void linux_map_hint_set(const void *end);

#endif
