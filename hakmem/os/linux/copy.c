/* SPDX-License-Identifier: MIT */
/* A copy of the process that looks at its memory while the process goes on.
 *
 * Made by a bare system call, so that neither the C library nor the program takes part. With 0 in the place of SIGCHLD its
 * parent gets no signal, and only a wait with __WCLONE or __WALL finds it. */
#include <sched.h>
#include <sys/wait.h>

#include "hakmem/os/linux/linux.h"

int hak_os_copy(uint32_t *copy) {
    const int saved_errno = errno;
    const long made = syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
    if (made < 0) return linux_take_error(saved_errno);
    *copy = (uint32_t)made;
    return 0;
}

void hak_os_copy_end(void) {
    for (;;) {
        (void)syscall(SYS_exit_group, 0);
    }
}

void hak_os_copy_wait(uint32_t copy) {
    const int saved_errno = errno;
    while (syscall(SYS_wait4, (pid_t)copy, NULL, __WALL, NULL) < 0 && errno == EINTR) {
    }
    errno = saved_errno;
}
