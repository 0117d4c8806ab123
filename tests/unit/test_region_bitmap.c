/* SPDX-License-Identifier: MIT */
/* Runs of bits: each function against a loop over single bits. */
#include <stdint.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/region/bitmap.h"
#include "tests/harness/harness.h"

#define BITS 320
#define WORDS (BITS / 64)

static bool bit_of(const uint64_t *words, unsigned bit) { return (words[bit / 64] >> bit % 64 & 1) != 0; }

static unsigned next_by_bits(const uint64_t *words, unsigned from, bool value) {
    while (from < BITS && bit_of(words, from) != value) from++;
    return from;
}

static unsigned count_by_bits(const uint64_t *words, unsigned start, unsigned count) {
    unsigned total = 0;
    for (unsigned bit = start; bit < start + count; bit++) total += bit_of(words, bit);
    return total;
}

static unsigned find_run_by_bits(const uint64_t *words, unsigned count) {
    for (unsigned start = 0; start + count <= BITS; start++) {
        if (count_by_bits(words, start, count) == count) return start;
    }
    return BITS;
}

/* Words of runs: single random bits would hardly ever hold a long one. */
static void make_runs(uint64_t *words, uint64_t *random) {
    memset(words, 0, WORDS * sizeof *words);
    for (unsigned at = 0; at < BITS;) {
        uint64_t value = random_xorshift64(random);
        unsigned length = value % 90 + 1;
        if (length > BITS - at) length = BITS - at;
        if ((value >> 32 & 1) != 0) bitmap_set_run(words, at, length, true);
        at += length;
    }
}

HAK_TEST(Bitmap, SetAndCountRuns) {
    for (unsigned start = 0; start < BITS; start += 7) {
        for (unsigned count = 0; start + count <= BITS; count += 11) {
            uint64_t words[WORDS] = {0};
            bitmap_set_run(words, start, count, true);
            HAK_EXPECT_EQ(count_by_bits(words, 0, BITS), count);
            HAK_EXPECT_EQ(count_by_bits(words, start, count), count);
            HAK_EXPECT_EQ(bitmap_count_run(words, start, count), count);
            HAK_EXPECT_EQ(bitmap_count_run(words, 0, BITS), count);
            bitmap_set_run(words, start, count, false);
            HAK_EXPECT_EQ(count_by_bits(words, 0, BITS), 0);
        }
    }
}

HAK_TEST(Bitmap, NextBitOfEitherValue) {
    uint64_t random = 17, words[WORDS];
    for (unsigned round = 0; round < 50; round++) {
        make_runs(words, &random);
        for (unsigned from = 0; from <= BITS; from++) {
            HAK_EXPECT_EQ(bitmap_next(words, BITS, from, true), next_by_bits(words, from, true));
            HAK_EXPECT_EQ(bitmap_next(words, BITS, from, false), next_by_bits(words, from, false));
        }
    }
}

HAK_TEST(Bitmap, FirstRunOfALength) {
    uint64_t random = 18, words[WORDS];
    for (unsigned round = 0; round < 100; round++) {
        make_runs(words, &random);
        for (unsigned count = 1; count <= BITS; count += 13) {
            unsigned longest, found = bitmap_find_run(words, BITS, count, &longest);
            HAK_EXPECT_EQ(found, find_run_by_bits(words, count));
            if (found < BITS) {
                HAK_EXPECT_GE(longest, count);
                continue;
            }
            HAK_EXPECT_LT(longest, count);
            HAK_EXPECT(longest == 0 || find_run_by_bits(words, longest) < BITS);
            HAK_EXPECT_EQ(find_run_by_bits(words, longest + 1), BITS);
        }
    }
}

HAK_TEST(Bitmap, RunAroundABit) {
    uint64_t random = 19, words[WORDS];
    for (unsigned round = 0; round < 100; round++) {
        make_runs(words, &random);
        for (unsigned bit = 0; bit < BITS; bit++) {
            unsigned start = bit;
            while (start > 0 && bit_of(words, start - 1)) start--;
            const unsigned expected = bit_of(words, bit) ? next_by_bits(words, bit, false) - start : 0;
            if (expected != 0) HAK_EXPECT_EQ(bitmap_run_around(words, BITS, bit), expected);
        }
    }
}
