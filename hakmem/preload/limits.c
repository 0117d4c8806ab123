/* SPDX-License-Identifier: MIT */
/* setrlimit, prlimit and mlockall, which replace the C library's: they unmap what hakmem has reserved before the kernel limits or
 * locks it.
 *
 * The kernel counts the reservation of the flat tables (2 GiB, with guard 8 TiB) like any other mapping. With it, a limit on the
 * address space would make every mmap of the program fail, and mlockall would fail or take seconds. Results and errno are
 * the kernel's. A program that makes the system calls itself is helped later: the tables give way when memory is refused
 * (region/give_way.h). */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "hakmem/guard/guard.h"
#include "hakmem/os/os.h"
#include "hakmem/preload/preload.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/give_way.h"
#include "hakmem/region/region.h"

static int limits_result(int error) {
    if (error != 0) {
        errno = error;
    }
    return error == 0 ? 0 : -1;
}

/* pre: the kernel's layout of the limit: two words of 64 bits, as all 64-bit systems have it */
static int limits_set(pid_t process, int resource, const struct rlimit *new_limit, struct rlimit *old_limit) {
    if (resource == RLIMIT_AS && new_limit != NULL) {
        hak_process_begin(); /* or what it reserves would come later */
        const bool is_own = process == 0 || (uint32_t)process == hak_os_process_id();
        if (is_own && hak_give_way_is_process() && hak_give_way_is_due(new_limit->rlim_cur)) {
            (void)hak_region_give_way();
        }
    }
    return hak_os_prlimit(process, resource, new_limit, old_limit);
}

#ifdef __GLIBC__
typedef __rlimit_resource_t limits_resource;
typedef enum __rlimit_resource limits_process_resource;
#else
typedef int limits_resource, limits_process_resource;
#endif

PRELOAD_API int setrlimit(limits_resource resource, const struct rlimit *limit) {
    return limits_result(limits_set(0, (int)resource, limit, NULL));
}

PRELOAD_API int prlimit(pid_t process, limits_process_resource resource, const struct rlimit *new_limit,
                        struct rlimit *old_limit) {
    return limits_result(limits_set(process, (int)resource, new_limit, old_limit));
}

#ifdef __GLIBC__ /* others have one layout under one name */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one layout");

PRELOAD_API int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit) {
    return setrlimit(resource, (const struct rlimit *)limit);
}

PRELOAD_API int prlimit64(pid_t process, enum __rlimit_resource resource, const struct rlimit64 *new_limit,
                          struct rlimit64 *old_limit) {
    return prlimit(process, resource, (const struct rlimit *)new_limit, (struct rlimit *)old_limit);
}
#endif

PRELOAD_API int mlockall(int flags) {
    hak_process_begin();
    if (hak_give_way_is_process()) {
        if ((flags & MCL_CURRENT) != 0) {
            (void)hak_region_give_way();
        } else if ((flags & MCL_FUTURE) != 0) {
            hak_region_stop_reserving(); /* it would count as locked */
        }
    }
    return limits_result(hak_os_lock_all(flags));
}
