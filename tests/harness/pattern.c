/* SPDX-License-Identifier: MIT */
/* Patterns in blocks; the contract stands in pattern.h. */
#include "tests/harness/pattern.h"

#include <string.h>

#define PAGE 4096

/* The word at `index`: neighbours and neighbouring seeds differ in most bytes. */
static uint64_t word_at(uint64_t seed, size_t index) {
    return (seed + index + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ (seed >> 7);
}

void pattern_fill(void *start, size_t size, uint64_t seed) {
    unsigned char *bytes = start;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = word_at(seed, at / 8);
        memcpy(bytes + at, &word, size - at < 8 ? size - at : 8);
    }
}

bool pattern_holds(const void *start, size_t size, uint64_t seed) {
    const unsigned char *bytes = start;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = word_at(seed, at / 8);
        if (memcmp(bytes + at, &word, size - at < 8 ? size - at : 8) != 0) return false;
    }
    return true;
}

/* The 16 bytes at the start of each page, of whatever the block has there. */
static size_t marked_bytes(size_t size, size_t at) { return size - at < 16 ? size - at : 16; }

void pattern_mark_pages(void *start, size_t size, uint64_t seed) {
    for (size_t at = 0; at < size; at += PAGE) pattern_fill((char *)start + at, marked_bytes(size, at), seed + at);
}

bool pattern_pages_hold(const void *start, size_t size, uint64_t seed) {
    for (size_t at = 0; at < size; at += PAGE) {
        if (!pattern_holds((const char *)start + at, marked_bytes(size, at), seed + at)) return false;
    }
    return true;
}

bool pattern_all_zero(const void *start, size_t size) {
    const unsigned char *bytes = start;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}
