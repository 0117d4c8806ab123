/* SPDX-License-Identifier: MIT */
/* NUMA nodes: how many there are, and which one a thread runs on.
 *
 * The vDSO tells the node without a system call, which a program's filter might forbid. Where it does not, as under valgrind, there is
 * one node. Thread-safe. Makes system calls directly, because a program may interpose open. */
#include <fcntl.h>

#include "hakmem/os/linux/linux.h"

typedef long getcpu_function(unsigned *processor, unsigned *node, void *unused);

static getcpu_function *node_getcpu; /* constant after hak_os_node_count */

/* The highest number of a list like "0-1,4", and one more; at least 1. */
static unsigned node_list_end(const char *text, size_t length) {
    unsigned number = 0, highest = 0;
    for (size_t i = 0; i < length; i++) {
        const bool is_digit = text[i] >= '0' && text[i] <= '9';
        number = is_digit ? 10 * number + (unsigned)(text[i] - '0') : 0;
        highest = number > highest ? number : highest;
    }
    return highest + 1;
}

unsigned hak_os_node_count(void) {
    char text[64]; /* the kernel's largest number has four digits */
    long length = -1;
    const int saved_errno = errno;
#if defined(__x86_64__)
    node_getcpu = (getcpu_function *)hak_linux_vdso_function("__vdso_getcpu");
#endif
    const long file = node_getcpu == NULL
                          ? -1
                          : syscall(SYS_openat, AT_FDCWD, "/sys/devices/system/node/online", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        length = syscall(SYS_read, file, text, sizeof text);
        (void)syscall(SYS_close, file);
    }
    errno = saved_errno;
    return length > 0 ? node_list_end(text, (size_t)length) : 1;
}

unsigned hak_os_node(void) {
    unsigned processor, node = 0;
    return node_getcpu != NULL && node_getcpu(&processor, &node, NULL) == 0 ? node : 0;
}
