/* SPDX-License-Identifier: MIT */
/* Random bytes from the kernel.
 *
 * Thread-safe. Makes the system call directly, because a program may interpose the C library's function. Never blocks,
 * because a program that starts early in the boot must not hang. */
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include "hakmem/os/linux/linux.h"

int hak_os_random(void *out, size_t size) {
    const int saved_errno = errno;
    /* Up to 256 bytes come whole, and no signal interrupts the call. */
    const ssize_t got = LINUX_CALL(getrandom, out, size, GRND_NONBLOCK);
    return got == (ssize_t)size ? 0 : linux_take_error(saved_errno);
}

void hak_os_process_random(uint32_t out[4]) {
    const void *bytes = (const void *)getauxval(AT_RANDOM);
    memset(out, 0, 4 * sizeof *out);
    if (bytes != NULL) memcpy(out, bytes, 4 * sizeof *out);
}
