/* SPDX-License-Identifier: MIT */
/* The program has functions of the C library of its own, as checkpointers and virtualisers do, and each allocates: what the
 * allocator asks the system for must not come back into it. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "tests/preload/published_page.h"

static void allocate(void) { free(malloc(100)); }

pid_t getpid(void) {
    allocate();
    return (pid_t)syscall(SYS_getpid);
}

uid_t geteuid(void) {
    allocate();
    return (uid_t)syscall(SYS_geteuid);
}

ssize_t write(int file, const void *bytes, size_t count) {
    allocate();
    return syscall(SYS_write, file, bytes, count);
}

ssize_t read(int file, void *bytes, size_t count) {
    allocate();
    return syscall(SYS_read, file, bytes, count);
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const int mode = (flags & O_CREAT) != 0 ? va_arg(more, int) : 0;
    va_end(more);
    allocate();
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int close(int file) {
    allocate();
    return (int)syscall(SYS_close, file);
}

int fcntl(int file, int command, ...) {
    va_list more;
    va_start(more, command);
    const long argument = va_arg(more, long);
    va_end(more);
    allocate();
    return (int)syscall(SYS_fcntl, file, command, argument);
}

int dup2(int file, int other) {
    allocate();
    return (int)syscall(SYS_dup3, file, other, 0);
}

int main(void) {
    for (int i = 0; i < 2000; i++) {
        void *volatile p = malloc(1000);
        if (i % 2 == 0) free(p);
    }
    if (getenv("HAKMEM_PUBLISH") != NULL) published_page_wait();
    puts("end");
    return 0;
}
