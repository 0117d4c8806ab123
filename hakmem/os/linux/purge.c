/* SPDX-License-Identifier: MIT */
/* Returns memory to the kernel and keeps the address space.
 *
 * Called by the purge of regions and of kept huge mappings, by any thread that owns the range. Uses MADV_DONTNEED and
 * not MADV_FREE, because the pages must leave the resident size at once, as the purge promises, and must read as zero,
 * as calloc relies on. One call covers the whole range, so that a huge page inside it is returned whole instead of
 * being split.
 *
 * A single-threaded process maps new memory over the range instead. The C library's allocator makes no madvise there,
 * so the program's seccomp filter may not allow it and would kill the process. */
#include <fcntl.h>
#include <sys/sysinfo.h>

#include "hakmem/os/linux/linux.h"

int hak_os_resident(void *start, size_t size, unsigned char *pages) {
    const int saved_errno = errno;
    return LINUX_CALL(mincore, start, size, pages) == 0 ? 0 : linux_take_error(saved_errno);
}

bool hak_os_has_swap(void) {
    const int saved_errno = errno;
    struct sysinfo info;
    const bool known = syscall(SYS_sysinfo, &info) == 0;
    errno = saved_errno;
    return !known || info.totalswap != 0;
}

static int counted(int error, size_t size) {
    if (error != 0) return error;
    linux_count(purges, 1);
    linux_count(purged_bytes, size);
    return 0;
}

int hak_os_purge(void *start, size_t size) { return counted(linux_madvise(start, size, MADV_DONTNEED), size); }

/* Constant after init. Kernels before 6.12 take the old mapping away before they ask whether the new one may be had,
 * and where memory is never overcommitted another process may have taken its share between the two. */
static bool mapping_may_fail_late = true;

void hak_linux_purge_init(void) {
    const int saved_errno = errno;
    const int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        char mode = '2';
        (void)syscall(SYS_read, file, &mode, 1);
        mapping_may_fail_late = mode != '0' && mode != '1';
        (void)syscall(SYS_close, file);
    }
    errno = saved_errno;
}

int hak_os_purge_by_mapping(void *start, size_t size) {
    /* The sanitizers would take the mapping for a new one, with no history. */
    if (mapping_may_fail_late || HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) {
        return counted(linux_madvise(start, size, MADV_DONTNEED), size);
    }
    void *mapped = NULL;
    const int error = linux_mmap(start, size, PROT_READ | PROT_WRITE, MAP_FIXED, &mapped);
    if (error != 0) {
        /* It is refused before anything is done, but for a kernel without memory for itself. */
        const int filled = linux_mmap_there(start, size, PROT_READ | PROT_WRITE);
        if (filled != 0) return filled == EEXIST ? error : filled;
    }
    return counted(0, size);
}
