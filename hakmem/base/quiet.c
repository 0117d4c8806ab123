/* SPDX-License-Identifier: MIT */
/* See quiet.h. Makes system calls directly, because the program may interpose the C library's functions, and some of
 * these are cancellation points. */
#include "hakmem/base/quiet.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define QUIET_BIT(number) ((uint64_t)1 << ((number)-1))
#define QUIET_SIGNALS (QUIET_BIT(SIGXFSZ) | QUIET_BIT(SIGPIPE))

void hak_quiet_begin(struct quiet *quiet) {
    const int saved_errno = errno;
    const uint64_t signals = QUIET_SIGNALS;
    *quiet = (struct quiet){0, 0};
    (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, &signals, &quiet->blocked, sizeof signals);
    /* One that is not blocked does not wait. */
    if ((quiet->blocked & signals) != 0) {
        (void)syscall(SYS_rt_sigpending, &quiet->waiting, sizeof signals);
    }
    errno = saved_errno;
}

void hak_quiet_end(const struct quiet *quiet) {
    const int saved_errno = errno;
    const struct timespec at_once = {0, 0};
    uint64_t waiting = 0;
    (void)syscall(SYS_rt_sigpending, &waiting, sizeof waiting);
    waiting &= QUIET_SIGNALS & ~quiet->waiting;
    /* Each once: it was sent to the thread that wrote, and a thread's own is taken before one of the process. */
    for (; waiting != 0; waiting &= waiting - 1) {
        const uint64_t one = waiting & -waiting;
        (void)syscall(SYS_rt_sigtimedwait, &one, NULL, &at_once, sizeof one);
    }
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &quiet->blocked, NULL, sizeof quiet->blocked);
    errno = saved_errno;
}

bool hak_quiet_blocks(int number) {
    const int saved_errno = errno;
    uint64_t blocked = 0;
    (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, sizeof blocked);
    errno = saved_errno;
    return (blocked & QUIET_BIT(number)) != 0;
}

int hak_quiet_write(int descriptor, const void *bytes, size_t count) {
    const int saved_errno = errno;
    const char *from = bytes;
    int error = 0;
    struct quiet quiet;
    hak_quiet_begin(&quiet);
    while (count > 0 && error == 0) {
        const ssize_t written = syscall(SYS_write, descriptor, from, count);
        if (written > 0) {
            from += written;
            count -= (size_t)written;
        } else if (written == 0) {
            error = ENOSPC; /* nothing is taken, and nothing is said of it */
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    hak_quiet_end(&quiet);
    errno = saved_errno;
    return error;
}
