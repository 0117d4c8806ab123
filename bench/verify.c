/* Marks and checks blocks for --verify. Any thread, each for its own blocks; no data of its own. */
#include "bench/verify.h"

#include "bench/contender.h"

#include <stdio.h>
#include <stdlib.h>

static HAK_COLD _Noreturn void fail(const void *p, size_t size, const char *what) {
    fprintf(stderr, "worker (%s, %s): block %p of %zu bytes: %s\n", BENCH_NAME, BENCH_LINK, p, size, what);
    exit(EXIT_FAILURE);
}

/* The last byte's mark: never that of the first, so a copy of the block's start does not pass for it. */
static uint8_t inverted(uint8_t mark) { return mark ^ 0xff; }

void verify_mark(void *p, size_t size, uint64_t number, struct verify_expect *expect) {
    if (p == NULL) {
        fail(p, size, "the allocator has no memory");
    }
    if ((uintptr_t)p % VERIFY_ALIGNMENT != 0) {
        fail(p, size, "misaligned");
    }
    expect->size = size;
    expect->mark = (uint8_t)number;
    unsigned char *bytes = p;
    bytes[size - 1] = inverted(expect->mark);
    bytes[0] = expect->mark;
}

void verify_check(const void *p, const struct verify_expect *expect) {
    const unsigned char *bytes = p;
    size_t last = expect->size - 1;
    if (bytes[0] != expect->mark) {
        fail(p, expect->size, "its first byte changed while it was live");
    }
    if (last != 0 && bytes[last] != inverted(expect->mark)) {
        fail(p, expect->size, "its last byte changed while it was live");
    }
}
