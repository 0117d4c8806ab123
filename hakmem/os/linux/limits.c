/* SPDX-License-Identifier: MIT */
/* Resource limits of the process, and mlockall.
 *
 * Called while the allocator initialises itself, when memory is refused, and by the functions that interpose the C
 * library's (preload/limits.c). Thread-safe. */
#include <sys/resource.h>

#include "hakmem/os/linux/linux.h"

int hak_os_prlimit(int process, int resource, const void *new_limit, void *old_limit) {
    const int saved_errno = errno;
    return syscall(SYS_prlimit64, process, resource, new_limit, old_limit) == 0 ? 0 : linux_take_error(saved_errno);
}

uint64_t hak_os_address_space_limit(void) {
    struct {
        uint64_t now, most;
    } limit;
    return hak_os_prlimit(0, RLIMIT_AS, NULL, &limit) == 0 ? limit.now : UINT64_MAX;
}

int hak_os_lock_all(int flags) {
    const int saved_errno = errno;
    return syscall(SYS_mlockall, flags) == 0 ? 0 : linux_take_error(saved_errno);
}
