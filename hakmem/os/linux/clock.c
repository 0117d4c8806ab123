/* The clock of the purge decay.
 *
 * Any thread. The coarse clock is read without entering the kernel and without reading a counter of the
 * processor; it advances once a timer tick, which is a few milliseconds, and decay is about a second. */
#include <time.h>

#include "hakmem/os/linux/linux.h"

uint64_t os_clock_ms(void) {
    struct timespec now = {0, 0};
    int saved_errno = errno;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    errno = saved_errno;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
