/* SPDX-License-Identifier: MIT */
/* Files: create for writing, read, close, and identify what a descriptor refers to.
 *
 * Called at exit, by the publishing thread and by threads that sample. Makes system calls directly, because a program
 * may interpose the C library's functions, and some of these are cancellation points. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "hakmem/base/c_library.h"
#include "hakmem/os/linux/linux.h"

#define NULL_DEVICE makedev(1, 3)

/* Kernels before 4.11 and some sandboxes do without statx, and so without the time of birth. */
static bool identity_without_birth(int descriptor, struct hak_linux_identity *out) {
    struct stat found;
    if (syscall(SYS_fstat, descriptor, &found) != 0) return false;
    *out = (struct hak_linux_identity){.device = found.st_dev,
                                       .special = found.st_rdev,
                                       .inode = found.st_ino,
                                       .type = found.st_mode & S_IFMT,
                                       .owner = found.st_uid,
                                       .links = (uint32_t)found.st_nlink};
    return true;
}

#ifdef STATX_BTIME
static bool identity_of(int descriptor, struct hak_linux_identity *out) {
    struct statx found;
    const unsigned wanted = STATX_BASIC_STATS | STATX_BTIME;
    if (syscall(SYS_statx, descriptor, "", AT_EMPTY_PATH, wanted, &found) != 0) {
        return errno != EBADF && identity_without_birth(descriptor, out);
    }
    const bool has_birth = (found.stx_mask & STATX_BTIME) != 0;
    *out = (struct hak_linux_identity){
        .device = makedev(found.stx_dev_major, found.stx_dev_minor),
        .special = makedev(found.stx_rdev_major, found.stx_rdev_minor),
        .inode = found.stx_ino,
        .birth_seconds = has_birth ? (uint64_t)found.stx_btime.tv_sec : 0,
        .birth_nanoseconds = has_birth ? found.stx_btime.tv_nsec : 0,
        .type = found.stx_mode & S_IFMT,
        .owner = found.stx_uid,
        .links = found.stx_nlink,
    };
    return true;
}
#else
/* musl before 1.2.4 does not say what statx gives. */
static bool identity_of(int descriptor, struct hak_linux_identity *out) {
    return identity_without_birth(descriptor, out);
}
#endif

bool hak_linux_identity(int descriptor, struct hak_linux_identity *out) {
    const int saved_errno = errno;
    const bool found = identity_of(descriptor, out);
    errno = saved_errno;
    return found;
}

bool hak_linux_identity_equal(const struct hak_linux_identity *one, const struct hak_linux_identity *other) {
    return one->device == other->device && one->special == other->special && one->inode == other->inode &&
           one->birth_seconds == other->birth_seconds && one->birth_nanoseconds == other->birth_nanoseconds &&
           one->type == other->type;
}

int hak_linux_descriptor_high(int descriptor) {
    int high = (int)syscall(SYS_fcntl, descriptor, F_DUPFD_CLOEXEC, LINUX_DESCRIPTOR_FIRST);
    if (high < 0) high = (int)syscall(SYS_fcntl, descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return high;
}

/* What may be written: a regular file of this user, of one name since somebody else may have made the other, or nothing at all. */
static int file_check(int descriptor) {
    struct hak_linux_identity found;
    if (!hak_linux_identity(descriptor, &found)) return EBADF;
    if (found.type == S_IFCHR && found.special == NULL_DEVICE) return 0;
    if (found.type != S_IFREG) return ENXIO;
    if (found.owner != (uint32_t)syscall(SYS_geteuid)) return EPERM;
    return found.links <= 1 ? 0 : EMLINK;
}

int hak_os_file_create(const char *path, int *out) {
    const int saved_errno = errno;
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, flags, S_IRUSR | S_IWUSR);
    if (descriptor < 0) return linux_take_error(saved_errno);
    int error = file_check(descriptor);
    /* Emptied when it is known whose it is; the null device refuses, and holds nothing. */
    if (error == 0) (void)syscall(SYS_ftruncate, descriptor, (off_t)0);
    if (error == 0) {
        *out = descriptor;
    } else {
        (void)syscall(SYS_close, descriptor);
    }
    errno = saved_errno;
    return error;
}

const char *hak_os_file_problem(int error) {
    switch (error) {
    case ELOOP: return "the path is a symbolic link, which is not followed";
    case ENXIO:
    case EISDIR: return "it is not a regular file";
    case EPERM: return "it is another user's file";
    case EMLINK: return "it has another name (a hard link)";
    case EFBIG: return "the limit of a file's size (RLIMIT_FSIZE) is reached";
    default: return c_library_error_text(error);
    }
}

int hak_os_file_open(const char *path, int *out) {
    const int saved_errno = errno;
    const int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return linux_take_error(saved_errno);
    *out = descriptor;
    return 0;
}

int hak_os_file_read(int descriptor, void *out, size_t size, size_t *count) {
    const int saved_errno = errno;
    ssize_t got;
    do {
        got = syscall(SYS_read, descriptor, out, size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return linux_take_error(saved_errno);
    errno = saved_errno;
    *count = (size_t)got;
    return 0;
}

int hak_os_file_read_at(int descriptor, uint64_t place, void *out, size_t size, size_t *count) {
    const int saved_errno = errno;
    const ssize_t got = syscall(SYS_pread64, descriptor, out, size, (off_t)place);
    if (got < 0) return linux_take_error(saved_errno);
    *count = (size_t)got;
    return 0;
}

int hak_os_file_close(int descriptor) {
    const int saved_errno = errno;
    return syscall(SYS_close, descriptor) == 0 ? 0 : linux_take_error(saved_errno);
}

uint32_t hak_os_process_id(void) { return (uint32_t)syscall(SYS_getpid); }
