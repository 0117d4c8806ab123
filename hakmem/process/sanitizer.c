/* SPDX-License-Identifier: MIT */
/* See sanitizer.h. System calls only: what the sanitizer puts in the place of the C library's functions does not work before
 * it has begun. */
#include "hakmem/process/sanitizer.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "hakmem/base/compiler.h"

#define SANITIZER_STATUS 1

/* The sanitizer's own; NULL in other programs. */
__attribute__((weak)) extern void __tsan_init(void);

void hak_sanitizer_refuse(void) {
    static const char why[] =
        "hakmem: this program is built with ThreadSanitizer, which has an allocator of its own: run it "
        "without hakmem\n";
    if (HAK_THREAD_SANITIZER || &__tsan_init == NULL) {
        return;
    }
    (void)syscall(SYS_write, STDERR_FILENO, why, sizeof why - 1);
    (void)syscall(SYS_exit_group, SANITIZER_STATUS);
}
