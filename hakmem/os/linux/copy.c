/* SPDX-License-Identifier: MIT */
/* A copy of the process that looks at its memory while the process goes on.
 *
 * Made by a bare system call, so that neither the C library nor the program takes part. With 0 in the place of SIGCHLD its
 * parent gets no signal, and only a wait with __WCLONE or __WALL finds it. */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "hakmem/os/linux/linux.h"

int hak_os_copy(uint32_t *copy) {
    const int saved_errno = errno;
    const long parent = syscall(SYS_getpid);
    const long made = syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
    if (made < 0) return linux_take_error(saved_errno);
    if (made == 0) {
        /* It has the process's descriptors, so it must not outlive the process; which may be gone already. */
        (void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L);
        if (syscall(SYS_getppid) != parent) hak_os_copy_end();
    }
    *copy = (uint32_t)made;
    return 0;
}

void hak_os_copy_end(void) {
    (void)syscall(SYS_exit_group, 0);
    __builtin_trap(); /* a filter of the program's refuses it */
}

bool hak_os_copy_wait(uint32_t copy) {
    const int saved_errno = errno;
    int status = 0;
    long waited;
    do {
        waited = syscall(SYS_wait4, (pid_t)copy, &status, __WALL, NULL);
    } while (waited < 0 && errno == EINTR);
    errno = saved_errno;
    return waited < 0 || status == 0; /* who cannot wait cannot tell */
}
