/* SPDX-License-Identifier: MIT */
/* Marks and checks blocks for --verify. Any thread, each for its own blocks; what they must be aligned to is constant. */
#include "bench/worker/verify.h"

#include "bench/worker/contender.h"

#include <stdio.h>
#include <stdlib.h>

static size_t alignment_expected = BENCH_ALIGNMENT; /* constant after the start */

void verify_expect_alignment(size_t alignment) { alignment_expected = alignment; }

HAK_COLD _Noreturn void verify_fail(const void *p, size_t size, const char *what) {
    fprintf(stderr, "worker (%s, %s): block %p of %zu bytes: %s\n", BENCH_NAME, BENCH_LINK, p, size, what);
    exit(EXIT_FAILURE);
}

static uint8_t first_mark(const struct verify_expect *expect) { return (uint8_t)expect->tag; }

/* Never that of the first byte, so a copy of the block's start does not pass for it. */
static uint8_t last_mark(const struct verify_expect *expect) { return first_mark(expect) ^ 0xff; }

void verify_mark(void *p, size_t size, uint32_t tag, struct verify_expect *expect) {
    if (p == NULL) {
        verify_fail(p, size, "the allocator has no memory");
    }
    verify_alignment(p, size, size < 16 ? VERIFY_ALIGNMENT_LEAST : alignment_expected);
    if (size == 0 || size > UINT32_MAX) {
        verify_fail(p, size, "a size that this check does not know");
    }
    expect->size = (uint32_t)size;
    expect->tag = tag;
    unsigned char *bytes = p;
    bytes[size - 1] = last_mark(expect);
    bytes[0] = first_mark(expect);
}

void verify_check(const void *p, struct verify_expect *expect) {
    const unsigned char *bytes = p;
    if (expect->size == 0) {
        verify_fail(p, expect->size, "the workload frees it twice");
    }
    size_t last = expect->size - 1;
    if (bytes[0] != first_mark(expect)) {
        verify_fail(p, expect->size, "its first byte changed while it was live");
    }
    if (last != 0 && bytes[last] != last_mark(expect)) {
        verify_fail(p, expect->size, "its last byte changed while it was live");
    }
    expect->size = 0;
}

void verify_zero(const void *p, size_t size) {
    const unsigned char *bytes = p;
    if (p == NULL) {
        verify_fail(p, size, "the allocator has no memory");
    }
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            verify_fail(p, size, "calloc gave it with a byte that is not zero");
        }
    }
}

void verify_alignment(const void *p, size_t size, size_t alignment) {
    if ((uintptr_t)p % alignment != 0) {
        verify_fail(p, size, "misaligned");
    }
}
