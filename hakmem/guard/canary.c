/* SPDX-License-Identifier: MIT */
/* The secret of the canaries; see canary.h. */
#include "hakmem/guard/canary.h"

#include "hakmem/guard/random.h"

uint64_t hak_canary_secret[2];
uint64_t hak_canary_factor;
uint64_t hak_canary_inverse;

/* Modulo 2^64, by Newton's iteration: an odd number is its own inverse in the low 3 bits, and each step doubles those that
 * are right. */
static uint64_t canary_invert(uint64_t odd) {
    uint64_t inverse = odd;
    for (unsigned right_bits = 3; right_bits < 64; right_bits *= 2) {
        inverse *= 2 - odd * inverse;
    }
    return inverse;
}

void hak_canary_init(void) {
    hak_canary_secret[0] = hak_guard_random_seed();
    hak_canary_secret[1] = hak_guard_random_seed();
    hak_canary_factor = hak_guard_random_seed() | 1;
    hak_canary_inverse = canary_invert(hak_canary_factor);
}
