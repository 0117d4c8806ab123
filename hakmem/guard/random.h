/* Random choices: one generator a thread, begun by the kernel's random bytes.
 *
 * xorshift: what it gives cannot be guessed from outside, but who sees enough of it can continue it. Any thread. */
#ifndef HAKMEM_GUARD_RANDOM_H
#define HAKMEM_GUARD_RANDOM_H

#include "hakmem/base/random.h"

/* 64 bits nobody outside can know. Where the kernel has none yet, of the clock and of addresses. */
uint64_t guard_random_seed(void);

extern HAK_THREAD_LOCAL uint64_t guard_random_state; /* 0 before the thread's first choice */

/* 64 bits, all of them good. */
HAK_ALWAYS_INLINE uint64_t guard_random_bits(void) {
    if (HAK_UNLIKELY(guard_random_state == 0)) {
        guard_random_state = guard_random_seed() | 1;
    }
    return random_xorshift64(&guard_random_state);
}

/* 0 .. limit - 1. pre: limit >= 1 */
HAK_ALWAYS_INLINE uint32_t guard_random_below(uint32_t limit) {
    return (uint32_t)((guard_random_bits() >> 32) * limit >> 32);
}

#endif
