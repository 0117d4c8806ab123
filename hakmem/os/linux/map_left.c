/* The place that a mapping has left, kept from others.
 *
 * Called after a move, by any thread. In between another thread's mapping may have come there, so nothing is mapped over what
 * is there; a kernel before 4.17 takes the place for a wish, and what it gives instead is given back. */
#include "hakmem/os/linux/linux.h"

int os_map_left(void *start, size_t size) {
    void *mapped = NULL;
    const int error = linux_mmap(start, size, PROT_NONE, MAP_FIXED_NOREPLACE, &mapped);
    if (error != 0) return error;
    if (mapped != start) {
        (void)linux_munmap(mapped, size);
        return EEXIST;
    }
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}
