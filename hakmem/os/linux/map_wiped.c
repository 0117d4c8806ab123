/* SPDX-License-Identifier: MIT */
/* Memory by which a process learns that it is a child.
 *
 * Any thread. The kernel clears it where it copies a process: no handler of fork is needed, of which a child knows nothing that
 * was made by the system call. */
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
