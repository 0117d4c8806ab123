/* SPDX-License-Identifier: MIT */
/* mremap(MREMAP_FIXED) as kernels before 6.17 have it: the destination is unmapped before anything else is looked at. Linked
 * with -Wl,--wrap=syscall into the tests of os.h, which then say of those kernels what they say of this one. */
#include <linux/mman.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...) {
    long argument[6];
    va_list rest;
    va_start(rest, number);
    for (unsigned i = 0; i < 6; i++) argument[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_mremap && (argument[3] & MREMAP_FIXED) != 0) {
        __real_syscall(SYS_munmap, argument[4], argument[2], 0L, 0L, 0L, 0L);
    }
    return __real_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}
