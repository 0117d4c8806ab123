/* SPDX-License-Identifier: MIT */
/* System calls, made directly: the program may define libc's names itself, may be inside one of libc's functions, or
 * may have a cancellation pending. Callers preserve errno. */
#include "bench/trace/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Read and written by the owner: it names what the program works on. */
#define MODE 0600

uint64_t system_clock_ns(bool coarse) {
    struct timespec now = {0, 0};
    clock_gettime(coarse ? CLOCK_MONOTONIC_COARSE : CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Not getpid: after vfork the C library may say what it remembers. */
pid_t system_pid(void) { return (pid_t)syscall(SYS_getpid); }

void *system_pages(size_t bytes, bool wiped) {
    void *pages = (void *)syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
    if (pages == MAP_FAILED) {
        return NULL;
    }
    if (wiped && syscall(SYS_madvise, pages, bytes, MADV_WIPEONFORK) != 0) {
        syscall(SYS_munmap, pages, bytes);
        return NULL;
    }
    return pages;
}

bool system_create(const char *path) {
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    if (file < 0) {
        return false;
    }
    syscall(SYS_close, file);
    return true;
}

/* Opens, appends, closes: no descriptor stays that the program could close, count or hand on. */
bool system_write(const char *path, const void *start, size_t start_length, const void *rest, size_t rest_length) {
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    struct iovec parts[2] = {{(void *)start, start_length}, {(void *)rest, rest_length}};
    int first = 0;
    bool done = false;
    while (!done) {
        long written = syscall(SYS_writev, file, &parts[first], 2 - first);
        if (written < 0 && errno != EINTR) {
            break;
        }
        for (size_t left = written < 0 ? 0 : (size_t)written; first < 2;) {
            size_t part = left < parts[first].iov_len ? left : parts[first].iov_len;
            parts[first].iov_base = (char *)parts[first].iov_base + part;
            parts[first].iov_len -= part;
            left -= part;
            if (parts[first].iov_len != 0) {
                break;
            }
            first++;
        }
        done = first == 2;
    }
    int error = errno;
    syscall(SYS_close, file);
    errno = error;
    return done;
}

size_t system_read(const char *path, char *bytes, size_t size) {
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    long got = syscall(SYS_read, file, bytes, size);
    syscall(SYS_close, file);
    return got < 0 ? 0 : (size_t)got;
}

size_t system_executable(char *path, size_t size) {
    long length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", path, size);
    return length < 0 ? 0 : (size_t)length;
}

void system_say(const char *what, const char *of, int error) {
    const char *const why = error != 0 ? strerrordesc_np(error) : NULL;
    const char *const words[] = {"hakmem record: ",      what, *of != '\0' ? " " : "", of, why != NULL ? ": " : "",
                                 why != NULL ? why : "", "\n"};
    struct iovec parts[sizeof words / sizeof words[0]];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        parts[i] = (struct iovec){(void *)words[i], strlen(words[i])};
    }
    syscall(SYS_writev, STDERR_FILENO, parts, sizeof words / sizeof words[0]);
}
