/* SPDX-License-Identifier: MIT */
/* mremap(MREMAP_FIXED) as kernels before 6.17 have it: the destination is unmapped before anything else is looked at. Linked
 * with -Wl,--wrap=syscall into the tests of os.h, which then say of those kernels what they say of this one. */
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/wrapped_syscall.h"

static long answered_syscall(long number, const long *argument) {
    if (number == SYS_mremap && (argument[3] & MREMAP_FIXED) != 0) {
        __real_syscall(SYS_munmap, argument[4], argument[2], 0L, 0L, 0L, 0L);
    }
    return real_syscall(number, argument);
}
