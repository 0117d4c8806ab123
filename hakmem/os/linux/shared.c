/* Files in memory that other processes map: made, taken away.
 *
 * Called by the thread that publishes. By system calls, as all that maps: a program may have replaced open. */
#include <fcntl.h>
#include <sys/stat.h>

#include "hakmem/os/linux/linux.h"

static int shared_map(int fd, size_t size, void **out) {
    /* With its memory: where that is short, a store into the file would end the program. */
    if (syscall(SYS_fallocate, fd, 0, (off_t)0, (off_t)size) != 0) return errno;
    void *start = LINUX_CALL(mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)0);
    if (start == MAP_FAILED) return errno;
    *out = start;
    return 0;
}

int os_shared_create(const char *path, size_t size, void **out) {
    const int saved_errno = errno;
    const int fd =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) return linux_take_error(saved_errno);
    const int error = shared_map(fd, size, out);
    if (error != 0) (void)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    (void)syscall(SYS_close, fd);
    errno = saved_errno;
    return error;
}

int os_shared_remove(const char *path) {
    const int saved_errno = errno;
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0) == 0 ? 0 : linux_take_error(saved_errno);
}

int os_unmap_shared(void *start, size_t size) { return linux_munmap(start, size); }
