/* SPDX-License-Identifier: MIT */
/* Sleeps for a time or until a word changes, and wakes the sleepers: a private futex.
 *
 * Used by the purging thread, and by threads that arrive while another one initialises the allocator. The word belongs
 * to the caller and is atomic. Calls syscall(2), because the C library has no function for futexes. */
#include <limits.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hakmem/base/c_library.h"
#include "hakmem/os/linux/linux.h"

void hak_os_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ms) {
    struct timespec timeout = {(time_t)(timeout_ms / 1000), (long)(timeout_ms % 1000) * 1000000};
    int saved_errno = errno;
    /* It fails with EAGAIN, EINTR or ETIMEDOUT; to the caller each is a wake-up that it checks anyway. */
    (void)syscall(SYS_futex, word, C_LIBRARY_FUTEX_WAIT, expected, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
    errno = saved_errno;
}

void hak_os_wake(const uint32_t *word) {
    int saved_errno = errno;
    (void)syscall(SYS_futex, word, C_LIBRARY_FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    errno = saved_errno;
}

void hak_os_sleep_ms(uint64_t duration_ms) {
    static const uint32_t never_changes = 0;
    hak_os_wait(&never_changes, 0, (int64_t)duration_ms);
}
