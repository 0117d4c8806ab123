/* SPDX-License-Identifier: MIT */
/* Pseudo-random numbers for sampling and for tests.
 *
 * Not for values that an attacker must not guess. The state belongs to the caller, who usually has one per thread.
 * Source: George Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003; the 64-bit generator
 * with shifts 13, 7, 17. Its period is 2^64 - 1: every value except zero occurs once. */
#ifndef HAKMEM_BASE_RANDOM_H
#define HAKMEM_BASE_RANDOM_H

#include "hakmem/base/compiler.h"

/* Advances the state and returns it. pre: *state != 0; it never becomes 0 then */
HAK_ALWAYS_INLINE uint64_t random_xorshift64(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}

/* A hash that depends on every bit of x, for the first state of a generator whose seeds are small or similar.
 * Source: Guy Steele, Doug Lea and Christine Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014; the
 * mixing function of SplitMix64. For one x it is 0. */
HAK_ALWAYS_INLINE uint64_t random_mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

#endif
