/* SPDX-License-Identifier: MIT */
/* Patterns in blocks. A word of the pattern depends on the block's key, its size and the word's place. */
#include "bench/trace/marks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above this only a word in every page is marked. */
#define DENSE_MAX (UINT64_C(1) << 20)
#define PAGE 4096

/* What every allocator here gives a block of at least as many bytes: what hakmem.h promises as the least. */
#define ALIGNMENT_LOG2 3

static HAK_COLD _Noreturn void fail(const void *p, uint64_t size, uint64_t at, const char *what) {
    fprintf(stderr, "replay: block %p of %" PRIu64 " bytes: byte %" PRIu64 " %s\n", p, size, at, what);
    exit(EXIT_FAILURE);
}

uint64_t marks_key(uint32_t lane, uint32_t slot, bool shared) {
    return ((uint64_t)lane << 33 | (uint64_t)slot << 1 | shared) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t word_at(uint64_t i, uint64_t whole, uint64_t key) {
    uint64_t word = (key ^ whole) + i * UINT64_C(0xd1342543de82ef95);
    return word ^ (word >> 32);
}

/* From one marked word to the next; every word is marked whose first byte is in the block. */
static uint64_t stride(uint64_t whole) { return whole > DENSE_MAX ? PAGE : sizeof(uint64_t); }

/* Bytes of the word at i that lie in the first `size` ones. */
static size_t part(uint64_t i, uint64_t size) {
    return size - i < sizeof(uint64_t) ? (size_t)(size - i) : sizeof(uint64_t);
}

void marks_write(void *p, uint64_t size, uint64_t key) {
    char *bytes = p;
    for (uint64_t i = 0; i < size; i += stride(size)) {
        uint64_t word = word_at(i, size, key);
        memcpy(bytes + i, &word, part(i, size));
    }
}

void marks_check(const void *p, uint64_t size, uint64_t whole, uint64_t key, const char *when) {
    const char *bytes = p;
    for (uint64_t i = 0; i < size; i += stride(whole)) {
        uint64_t word = word_at(i, whole, key);
        if (memcmp(bytes + i, &word, part(i, size)) != 0) {
            fail(p, whole, i, when);
        }
    }
}

void marks_check_zero(const void *p, uint64_t size) {
    const char *bytes = p;
    for (uint64_t i = 0; i < size; i += stride(size)) {
        uint64_t zero = 0;
        if (memcmp(bytes + i, &zero, part(i, size)) != 0) {
            fail(p, size, i, "is not zero after calloc");
        }
    }
}

void marks_check_alignment(const void *p, uint64_t size, unsigned alignment_log2) {
    unsigned least = size >= 1u << ALIGNMENT_LOG2 && alignment_log2 < ALIGNMENT_LOG2 ? ALIGNMENT_LOG2 : alignment_log2;
    if (((uintptr_t)p & ((UINT64_C(1) << least) - 1)) != 0) {
        fail(p, size, 0, "is not aligned as was asked for");
    }
}
