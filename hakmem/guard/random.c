/* See random.h. */
#include "hakmem/guard/random.h"

#include "hakmem/os/os.h"

HAK_THREAD_LOCAL uint64_t guard_random_state;

uint64_t guard_random_seed(void) {
    uint64_t seed;
    if (os_random(&seed, sizeof seed) != 0) {
        /* Early in the boot, or behind a filter of system calls: where things lie is random as well. */
        seed = ((uint64_t)(uintptr_t)&guard_random_state ^ (uint64_t)(uintptr_t)&seed << 20) + os_clock_ms();
        seed *= 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio: spreads it over the upper half */
    }
    return seed;
}
