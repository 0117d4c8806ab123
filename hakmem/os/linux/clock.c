/* SPDX-License-Identifier: MIT */
/* The clock of the purge decay.
 *
 * Thread-safe. The coarse clock is read without a system call and without reading the time-stamp counter. It advances
 * with the timer tick, every few milliseconds; that is precise enough, because decay takes about a second. The vDSO is
 * called directly, because a program may interpose clock_gettime by a function that allocates, in the middle of a
 * refill. */
#include <time.h>

#include "hakmem/os/linux/linux.h"

typedef int clock_function(clockid_t clock, struct timespec *now);

static clock_function *clock_read; /* atomic; NULL: not looked up yet */

static HAK_COLD clock_function *clock_look_up(void) {
#if defined(__aarch64__)
    void *found = hak_linux_vdso_function("__kernel_clock_gettime");
#else
    void *found = hak_linux_vdso_function("__vdso_clock_gettime");
#endif
    clock_function *function = found != NULL ? (clock_function *)found : clock_gettime;
    /* Relaxed: every thread finds the same. */
    hak_store_relaxed(&clock_read, function);
    return function;
}

uint64_t hak_os_clock_ms(void) {
    struct timespec now = {0, 0};
    int saved_errno = errno;
    clock_function *read = hak_load_relaxed(&clock_read);
    if (HAK_UNLIKELY(read == NULL)) read = clock_look_up();
    (void)read(CLOCK_MONOTONIC_COARSE, &now);
    errno = saved_errno;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
