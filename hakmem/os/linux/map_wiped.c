/* SPDX-License-Identifier: MIT */
/* Memory that tells a process that it is a child (MADV_WIPEONFORK).
 *
 * Thread-safe. The kernel clears it in a copy of the process. That also works in a child made by a bare system call, in
 * which no atfork handler runs. */
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
