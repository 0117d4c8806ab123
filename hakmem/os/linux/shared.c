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

static int shared_open(const char *label) {
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    const int descriptor = (int)syscall(SYS_memfd_create, label, flags | MFD_NOEXEC_SEAL);
    /* Kernels before 6.3 do not know the last flag, without which later ones may refuse. */
    return descriptor >= 0 || errno != EINVAL ? descriptor : (int)syscall(SYS_memfd_create, label, flags);
}

static int shared_map(int descriptor, size_t size, void **out) {
    struct quiet quiet;
    hak_quiet_begin(&quiet);
    /* With its memory: where that is short, a store into the file would end the program. */
    const bool has_memory = syscall(SYS_fallocate, descriptor, 0, (off_t)0, (off_t)size) == 0;
    const int error = has_memory ? 0 : errno;
    hak_quiet_end(&quiet);
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
    out->inode = identity.inode;
    if (error == 0) error = shared_map(out->descriptor, size, &out->start);
    if (error != 0 && out->descriptor >= 0) (void)syscall(SYS_close, out->descriptor);
    errno = saved_errno;
    return error;
}

bool hak_os_shared_is_open(const struct os_shared *shared) {
    struct hak_linux_identity found;
    return hak_linux_identity(shared->descriptor, &found) && found.inode == shared->inode && found.type == S_IFREG;
}

void hak_os_shared_leave(const struct os_shared *shared) {
    const int saved_errno = errno;
    if (hak_os_shared_is_open(shared)) (void)syscall(SYS_close, shared->descriptor);
    (void)linux_munmap(shared->start, shared->size);
    errno = saved_errno;
}
