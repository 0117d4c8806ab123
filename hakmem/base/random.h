/* SPDX-License-Identifier: MIT */
/* Pseudo-random numbers for sampling and for tests.
 *
 * Not for anything that an attacker should not guess. The state belongs to the caller, usually one a thread.
 * Source: George Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003; the 64-bit generator
 * with shifts 13, 7, 17. Its period is 2^64 - 1: every value but zero comes once. */
#ifndef HAKMEM_BASE_RANDOM_H
#define HAKMEM_BASE_RANDOM_H

#include "hakmem/base/compiler.h"

/* pre: *state != 0; it then never becomes 0 */
HAK_ALWAYS_INLINE uint64_t random_xorshift64(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x;
}

/* A number that depends on every bit of x: for the first state of a generator, where seeds are small or alike.
 * Source: Guy Steele, Doug Lea and Christine Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014; the
 * mixing function of SplitMix64. One of its values is 0. */
HAK_ALWAYS_INLINE uint64_t random_mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

#endif
