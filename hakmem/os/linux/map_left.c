/* SPDX-License-Identifier: MIT */
/* The place that a mapping has left, kept from others.
 *
 * Called after a move, by any thread. In between another thread's mapping may have come there, so nothing is mapped over what
 * is there. */
#include "hakmem/os/linux/linux.h"

int hak_os_map_left(void *start, size_t size) {
    const int error = linux_mmap_there(start, size, PROT_NONE);
    if (error != 0) return error;
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}
