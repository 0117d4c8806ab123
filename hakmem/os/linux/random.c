/* SPDX-License-Identifier: MIT */
/* Random bytes from the kernel, and whether its choice of addresses is random.
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

/* The stack begins with the path of the program and a word. Where nothing is random it begins at the end of the address
 * space, which is a power of two, on x86-64 less a page. personality() would not tell of kernel.randomize_va_space. */
bool hak_os_places_vary(void) {
    const char *path = (const char *)getauxval(AT_EXECFN);
    if (path == NULL) return true;
    const uintptr_t page = hak_os_page_size();
    const uintptr_t end = bits_round_up((uintptr_t)path + strlen(path) + 1 + sizeof(void *), page);
    return (end & (end - 1)) != 0 && ((end + page) & (end + page - 1)) != 0;
}
