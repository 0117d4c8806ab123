/* SPDX-License-Identifier: MIT */
/* Runs of bits in an array of words: which chunks of a region are free. No locks of its own. */
#ifndef HAKMEM_REGION_BITMAP_H
#define HAKMEM_REGION_BITMAP_H

#include "hakmem/base/bits.h"

/* Position of the first bit at or after `from` that equals `value`; `bits` where there is none. */
static inline unsigned bitmap_next(const uint64_t *words, unsigned bits, unsigned from, bool value) {
    while (from < bits) {
        uint64_t word = value ? words[from / 64] : ~words[from / 64];
        word &= ~bits_low_mask(from % 64);
        if (word != 0) {
            return (from & ~63u) + bits_lowest(word);
        }
        from = (from & ~63u) + 64;
    }
    return bits;
}

/* Position of the first run of `count` set bits, or `bits`; *longest is the longest run that was seen. */
static inline unsigned bitmap_find_run(const uint64_t *words, unsigned bits, unsigned count, unsigned *longest) {
    *longest = 0;
    for (unsigned start = bitmap_next(words, bits, 0, true); start < bits;) {
        unsigned end = bitmap_next(words, bits, start, false);
        if (end - start > *longest) {
            *longest = end - start;
        }
        if (end - start >= count) {
            return start;
        }
        start = bitmap_next(words, bits, end, true);
    }
    return bits;
}

/* Length of the run of set bits that `bit` lies in. pre: it is set, or the one before it is not */
static inline unsigned bitmap_run_around(const uint64_t *words, unsigned bits, unsigned bit) {
    const unsigned end = bitmap_next(words, bits, bit, false);
    unsigned start = bit;
    while (start > 0 && (words[(start - 1) / 64] >> (start - 1) % 64 & 1) != 0) {
        const uint64_t below = ~words[(start - 1) / 64] & bits_low_mask((start - 1) % 64 + 1);
        start = below == 0 ? (start - 1) & ~63u : ((start - 1) & ~63u) + 64 - (unsigned)__builtin_clzll(below);
    }
    return end - start;
}

static inline void bitmap_set_run(uint64_t *words, unsigned start, unsigned count, bool value) {
    for (unsigned bit = start; bit < start + count;) {
        unsigned in_word = 64 - bit % 64 < start + count - bit ? 64 - bit % 64 : start + count - bit;
        uint64_t mask = bits_low_mask(in_word) << (bit % 64);
        words[bit / 64] = value ? words[bit / 64] | mask : words[bit / 64] & ~mask;
        bit += in_word;
    }
}

static inline unsigned bitmap_count_run(const uint64_t *words, unsigned start, unsigned count) {
    unsigned total = 0;
    for (unsigned bit = start; bit < start + count;) {
        unsigned in_word = 64 - bit % 64 < start + count - bit ? 64 - bit % 64 : start + count - bit;
        total += bits_count(words[bit / 64] & (bits_low_mask(in_word) << (bit % 64)));
        bit += in_word;
    }
    return total;
}

#endif
