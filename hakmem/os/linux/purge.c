/* Memory back to the system, address space kept.
 *
 * Called by the purge of regions and of cached huge blocks; any thread that owns the range. MADV_DONTNEED and
 * not MADV_FREE: the pages leave the resident size at once, which is what the promise of the purge is about,
 * and read as zero, which calloc builds on. One call for the whole range: a huge page that lies in it is given
 * back whole instead of being split first. */
#include <sys/sysinfo.h>

#include "hakmem/os/linux/linux.h"

int os_resident(void *start, size_t size, unsigned char *pages) {
    const int saved_errno = errno;
    return LINUX_CALL(mincore, start, size, pages) == 0 ? 0 : linux_take_error(saved_errno);
}

bool os_has_swap(void) {
    const int saved_errno = errno;
    struct sysinfo info;
    const bool known = syscall(SYS_sysinfo, &info) == 0;
    errno = saved_errno;
    return !known || info.totalswap != 0;
}

int os_purge(void *start, size_t size) {
    int error = linux_madvise(start, size, MADV_DONTNEED);
    if (error != 0) return error;
    linux_count(purges, 1);
    linux_count(purged_bytes, size);
    return 0;
}
