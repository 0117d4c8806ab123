/* SPDX-License-Identifier: MIT */
/* Memory of which a child has no copy: cleared in it (MADV_WIPEONFORK), which tells a process that it is a child, or shared
 * with it.
 *
 * Thread-safe. The kernel does both in every copy of the process, also in a child made by a bare system call, in which no
 * atfork handler runs. */
#include <sys/mman.h>

#include "hakmem/os/linux/linux.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

int hak_os_map_wiped(size_t size, void **out) {
    void *start = NULL;
    int error = linux_mmap(NULL, size, PROT_READ | PROT_WRITE, 0, &start);
    if (error != 0) return error;
    error = linux_madvise(start, size, MADV_WIPEONFORK);
    if (error != 0) {
        (void)linux_munmap(start, size);
        return error;
    }
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    *out = start;
    return 0;
}

int hak_os_map_common(size_t size, void **out) {
    const int saved_errno = errno;
    void *start = LINUX_CALL(mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, (off_t)0);
    if (start == MAP_FAILED) return linux_take_error(saved_errno);
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    *out = start;
    return 0;
}
