/* SPDX-License-Identifier: MIT */
/* The limit on a process's mappings (vm.max_map_count).
 *
 * Called once, while the allocator initialises itself. Makes system calls directly, because the C library's streams
 * allocate, and a program may interpose open. */
#include <fcntl.h>

#include "hakmem/os/linux/linux.h"

/* DEFAULT_MAX_MAP_COUNT of the kernel. */
#define MAPPINGS_DEFAULT 65530

/* The number that the text begins with; 0 where it begins with none. */
static size_t number(const char *text, size_t length) {
    size_t value = 0;
    for (size_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        value = 10 * value + (size_t)(text[i] - '0');
    }
    return value;
}

size_t hak_os_mappings_most(void) {
    char text[16]; /* its largest is 2^31 - 1 */
    const int saved_errno = errno;
    const long file = syscall(SYS_openat, AT_FDCWD, "/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    long length = -1;
    if (file >= 0) {
        length = syscall(SYS_read, file, text, sizeof text);
        (void)syscall(SYS_close, file);
    }
    errno = saved_errno;
    const size_t most = length > 0 ? number(text, (size_t)length) : 0;
    return most != 0 ? most : MAPPINGS_DEFAULT;
}
