/* SPDX-License-Identifier: MIT */
/* Patterns in blocks, for --verify. A word of the pattern depends on the block's key, its size and the word's place.
 * Any thread, each for blocks that no other one touches. */
#include "bench/worker/verify.h"

#include "bench/worker/contender.h"
#include "bench/worker/fail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Above this only a word in every page is marked. */
#define DENSE_MAX (UINT64_C(1) << 20)
#define PAGE 4096

#define WORD sizeof(uint64_t)

static size_t alignment_expected = BENCH_ALIGNMENT; /* constant after the start */

void verify_expect_alignment(size_t alignment) { alignment_expected = alignment; }

static HAK_COLD _Noreturn void fail(const void *p, size_t size, size_t at, const char *defect) {
    char text[200];
    snprintf(text, sizeof text, "block %p of %zu bytes, byte %zu: %s", p, size, at, defect);
    worker_fail(text, 0);
}

static uint64_t word_at(size_t at, size_t whole, uint64_t key) {
    uint64_t word = (key ^ whole) + at * UINT64_C(0xd1342543de82ef95);
    return word ^ (word >> 32);
}

/* From one marked word to the next; every word is marked whose first byte is in the block. */
static size_t stride(size_t whole) { return whole > DENSE_MAX ? PAGE : WORD; }

/* Bytes of the word at `at` that lie in the first `size` ones. */
static size_t part(size_t at, size_t size) { return size - at < WORD ? size - at : WORD; }

/* The builtin, since a replay is compiled without memcpy's: a whole word is one instruction. */
static void put_word(char *at, uint64_t word, size_t bytes) {
    if (HAK_LIKELY(bytes == WORD)) {
        __builtin_memcpy(at, &word, WORD);
    } else {
        memcpy(at, &word, bytes);
    }
}

/* true where the word at `at` begins with the first `bytes` of `word`. */
static bool has_word(const char *at, uint64_t word, size_t bytes) {
    uint64_t found = word;
    if (HAK_LIKELY(bytes == WORD)) {
        __builtin_memcpy(&found, at, WORD);
    } else {
        memcpy(&found, at, bytes);
    }
    return found == word;
}

void verify_write(void *p, size_t size, uint64_t key) {
    const size_t step = stride(size);
    for (size_t at = 0; at < size; at += step) {
        put_word((char *)p + at, word_at(at, size, key), part(at, size));
    }
}

void verify_read(const void *p, size_t size, size_t whole, uint64_t key, const char *defect) {
    const size_t step = stride(whole);
    for (size_t at = 0; at < size; at += step) {
        if (!has_word((const char *)p + at, word_at(at, whole, key), part(at, size))) {
            fail(p, whole, at, defect);
        }
    }
}

void verify_zero(const void *p, size_t size) {
    const size_t step = stride(size);
    if (p == NULL) {
        fail(p, size, 0, "the allocator has no memory");
    }
    for (size_t at = 0; at < size; at += step) {
        if (!has_word((const char *)p + at, 0, part(at, size))) {
            fail(p, size, at, "calloc gave it with a byte that is not zero");
        }
    }
}

void verify_alignment(const void *p, size_t size, size_t alignment) {
    const size_t least = size >= 16 ? alignment_expected : size >= 8 ? 8 : 1;
    if ((uintptr_t)p % (alignment > least ? alignment : least) != 0) {
        fail(p, size, 0, "misaligned");
    }
}

/* Never 0, so that the pattern of an empty page is nobody's. */
static uint64_t key_of(uint32_t tag) { return (tag + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15); }

void verify_mark(void *p, size_t size, uint32_t tag, struct verify_expect *expect) {
    if (p == NULL) {
        fail(p, size, 0, "the allocator has no memory");
    }
    if (size == 0 || size > UINT32_MAX) {
        fail(p, size, 0, "a size that this check does not know");
    }
    verify_alignment(p, size, 1);
    expect->size = (uint32_t)size;
    expect->tag = tag;
    verify_write(p, size, key_of(tag));
}

void verify_check(const void *p, struct verify_expect *expect) {
    if (expect->size == 0) {
        fail(p, 0, 0, "the workload frees it twice");
    }
    verify_read(p, expect->size, expect->size, key_of(expect->tag), VERIFY_CHANGED);
    expect->size = 0;
}
