/* SPDX-License-Identifier: MIT */
/* Files in memory that other processes read (memfd_create): create, check, leave.
 *
 * Called by the publishing thread and by threads that sample. Such a file has no name: readers open it through the
 * process's descriptor (/proc/PID/fd), and the kernel frees it with its last user, however that one ends. Makes system
 * calls directly, because a program may interpose the C library's functions. */
#include <fcntl.h>
#include <sys/stat.h>

#include "hakmem/base/quiet.h"
#include "hakmem/os/linux/linux.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* fallocate ends with EINTR, and gives back what it had, where a signal comes; some kernels look for one before each page. So it is
 * asked for so much at once, which takes some 5 us: a timer's signals come between. A piece is tried so often and not for ever,
 * because a filter or a tracer of the program's may answer EINTR each time. */
#define SHARED_PIECE_BYTES ((size_t)64 << 10)
#define SHARED_TRIES 100

static int shared_open(const char *label) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    const int descriptor = (int)syscall(SYS_memfd_create, label, flags | MFD_NOEXEC_SEAL);
    /* Kernels before 6.3 do not know the last flag, without which later ones may refuse. */
    return descriptor >= 0 || errno != EINVAL ? descriptor : (int)syscall(SYS_memfd_create, label, flags);
}

/* One piece of the file's memory. EINTR: each try was interrupted */
static int shared_allocate_piece(int descriptor, size_t at, size_t size) {
    int error = EINTR;
    for (unsigned tries = 0; error == EINTR && tries < SHARED_TRIES; tries++) {
        error = syscall(SYS_fallocate, descriptor, 0, (off_t)at, (off_t)size) == 0 ? 0 : errno;
    }
    return error;
}

/* The file gets its memory: where that is short later, a store into it would end the program. */
static int shared_allocate(int descriptor, size_t size) {
    struct quiet quiet;
    hak_quiet_begin(&quiet);
    int error = 0;
    for (size_t at = 0; error == 0 && at < size; at += SHARED_PIECE_BYTES) {
        const size_t left = size - at;
        error = shared_allocate_piece(descriptor, at, left < SHARED_PIECE_BYTES ? left : SHARED_PIECE_BYTES);
    }
    hak_quiet_end(&quiet);
    return error;
}

static int shared_map(int descriptor, size_t size, void **out) {
    const int error = shared_allocate(descriptor, size);
    if (error != 0) return error;
    (void)syscall(SYS_fchmod, descriptor, S_IRUSR | S_IWUSR);
    /* Nor may who opens it take the memory away. */
    (void)syscall(SYS_fcntl, descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    void *start = LINUX_CALL(mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, (off_t)0);
    if (start == MAP_FAILED) return errno;
    *out = start;
    return 0;
}

int hak_os_shared_create(const char *label, size_t size, struct os_shared *out) {
    const int saved_errno = errno;
    const int low = shared_open(label);
    if (low < 0) return linux_take_error(saved_errno);
    *out = (struct os_shared){.size = size, .descriptor = hak_linux_descriptor_high(low)};
    int error = out->descriptor < 0 ? errno : 0;
    (void)syscall(SYS_close, low);
    struct hak_linux_identity identity = {0};
    if (error == 0 && !hak_linux_identity(out->descriptor, &identity)) error = ENOSYS;
    out->device = identity.device;
    out->inode = identity.inode;
    if (error == 0) error = shared_map(out->descriptor, size, &out->start);
    if (error != 0 && out->descriptor >= 0) (void)syscall(SYS_close, out->descriptor);
    errno = saved_errno;
    return error;
}

bool hak_os_shared_is_open(const struct os_shared *shared) {
    struct hak_linux_identity found;
    return hak_linux_identity(shared->descriptor, &found) && found.device == shared->device &&
           found.inode == shared->inode && found.type == S_IFREG;
}

void hak_os_shared_leave(const struct os_shared *shared) {
    const int saved_errno = errno;
    if (hak_os_shared_is_open(shared)) (void)syscall(SYS_close, shared->descriptor);
    (void)linux_munmap(shared->start, shared->size);
    errno = saved_errno;
}
