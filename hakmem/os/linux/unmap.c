/* SPDX-License-Identifier: MIT */
/* Unmapping.
 *
 * Thread-safe. The range may be a part of one mapping or span several adjacent ones. */
#include "hakmem/base/asan.h"
#include "hakmem/os/linux/linux.h"

int hak_os_unreserve(void *start, size_t size) {
    int error = linux_munmap(start, size);
    if (error != 0) return error;
    hak_linux_map_note_unreserved(start, size);
    linux_count(mapped_bytes, -(uint64_t)size);
    return 0;
}

int hak_os_unmap(void *start, size_t size) {
    if (ASAN_WORKS()) hak_asan_show(start, size); /* before another mapping can lie there */
    int error = linux_munmap(start, size);
    if (error != 0) return error;
    hak_linux_map_note_unmapped(start, size);
    linux_count(unmaps, 1);
    linux_count(mapped_bytes, -(uint64_t)size);
    return 0;
}
