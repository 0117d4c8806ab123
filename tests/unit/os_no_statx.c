/* SPDX-License-Identifier: MIT */
/* A kernel that has no statx, as those before 4.11 and some sandboxes. Linked with -Wl,--wrap=syscall into the tests of files,
 * which then say of those kernels what they say of this one. */
#include <errno.h>
#include <sys/syscall.h>

#include "tests/unit/wrapped_syscall.h"

static long answered_syscall(long number, const long *argument) {
    if (number == SYS_statx) {
        errno = ENOSYS;
        return -1;
    }
    return real_syscall(number, argument);
}
