/* SPDX-License-Identifier: MIT */
/* A kernel that has no statx, as those before 4.11 and some sandboxes. Linked with -Wl,--wrap=syscall into the tests of files,
 * which then say of those kernels what they say of this one. */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...) {
    long argument[6];
    va_list rest;
    va_start(rest, number);
    for (unsigned i = 0; i < 6; i++) argument[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_statx) {
        errno = ENOSYS;
        return -1;
    }
    return __real_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}
