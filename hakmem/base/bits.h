/* SPDX-License-Identifier: MIT */
/* Arithmetic on words and powers of two. */
#ifndef HAKMEM_BASE_BITS_H
#define HAKMEM_BASE_BITS_H

#include "hakmem/base/compiler.h"

/* Index of the lowest set bit. pre: word != 0 */
HAK_ALWAYS_INLINE unsigned bits_lowest(uint64_t word) { return (unsigned)__builtin_ctzll(word); }

HAK_ALWAYS_INLINE unsigned bits_count(uint64_t word) { return (unsigned)__builtin_popcountll(word); }

/* A word whose `count` lowest bits are set. pre: count <= 64 */
HAK_ALWAYS_INLINE uint64_t bits_low_mask(unsigned count) {
    return count == 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
}

HAK_ALWAYS_INLINE bool bits_is_power_of_two(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

/* The address in a pointer. arm64 ignores the eight highest bits of it, where programs keep tags of their own (Linux,
 * Documentation/arch/arm64/tagged-pointers.rst): a block that is given back with a tag is given out again without. On other processors all bits are the address. */
HAK_ALWAYS_INLINE void *bits_untagged(const void *p) {
#if defined(__aarch64__)
    return (void *)((uintptr_t)p & UINTPTR_MAX >> 8);
#else
    return (void *)p;
#endif
}

/* The next multiple of `grain`. pre: `grain` is a power of two and value + grain - 1 does not overflow */
HAK_ALWAYS_INLINE size_t bits_round_up(size_t value, size_t grain) { return (value + grain - 1) & ~(grain - 1); }

#endif
