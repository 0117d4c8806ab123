/* The place that a mapping has left, kept from others.
 *
 * Called after a move, by any thread. In between another thread's mapping may have come there, so nothing is mapped over what
 * is there; a kernel before 4.17 takes the place for a wish, and what it gives instead is given back. */
#include "hakmem/os/linux/linux.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

int os_map_left(void *start, size_t size) {
    const int saved_errno = errno;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *mapped = LINUX_CALL(mmap, start, size, PROT_NONE, flags, -1, (off_t)0);
    if (mapped == MAP_FAILED) return linux_take_error(saved_errno);
    if (mapped != start) {
        (void)linux_munmap(mapped, size);
        return EEXIST;
    }
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}
