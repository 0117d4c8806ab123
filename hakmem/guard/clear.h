/* SPDX-License-Identifier: MIT */
/* Clears memory, and checks whether it is still clear; inline for small blocks.
 *
 * `bytes` is a multiple of 16, and p aligned to that, as every block is in builds with guard. No lock. */
#ifndef HAKMEM_GUARD_CLEAR_H
#define HAKMEM_GUARD_CLEAR_H

#include <string.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"

/* Two words in one register, which may stand for any type. */
typedef uint64_t guard_words __attribute__((vector_size(16), may_alias));

/* Blocks of up to the first are cleared, and looked at, in so many bytes whatever their size, the last of them repeatedly: a
 * loop's end could not be predicted. Up to the second they are cleared so. */
#define GUARD_SHORT_BYTES 64
#define GUARD_INLINE_BYTES 256

/* Large is a block from here on: making a smaller one inaccessible, and accessible again, costs more than twice what all else
 * costs that is done to it, reading it whole included. */
#define GUARD_LARGE_BYTES ((size_t)512 << 10)

/* Of more than L2's: keeps what is not resident from becoming so. Result: whether all of it is */
bool hak_guard_clear_large(void *p, size_t bytes);

/* The words at `at`, or the last of so many bytes. */
HAK_ALWAYS_INLINE size_t guard_within(size_t at, size_t bytes) {
    const size_t last = bytes - sizeof(guard_words);
    return at < last ? at : last;
}

/* Four words at `at`, or as many times the last of so many bytes. Written out, here and below: not every compiler does it for
 * a loop, and one that does not keeps what it gathers in memory. */
HAK_ALWAYS_INLINE void guard_clear_four(char *p, size_t at, size_t bytes) {
    const guard_words zero = {0, 0};
    *(guard_words *)(p + guard_within(at, bytes)) = zero;
    *(guard_words *)(p + guard_within(at + 16, bytes)) = zero;
    *(guard_words *)(p + guard_within(at + 32, bytes)) = zero;
    *(guard_words *)(p + guard_within(at + 48, bytes)) = zero;
}

HAK_ALWAYS_INLINE guard_words guard_any_of_four(const char *p, size_t at, size_t bytes) {
    return (*(const guard_words *)(p + guard_within(at, bytes)) |
            *(const guard_words *)(p + guard_within(at + 16, bytes))) |
           (*(const guard_words *)(p + guard_within(at + 32, bytes)) |
            *(const guard_words *)(p + guard_within(at + 48, bytes)));
}

/* pre: bytes <= GUARD_INLINE_BYTES */
HAK_ALWAYS_INLINE void guard_clear_inline(void *p, size_t bytes) {
    guard_clear_four(p, 0, bytes);
    if (HAK_UNLIKELY(bytes > GUARD_SHORT_BYTES)) {
        guard_clear_four(p, 64, bytes);
        if (bytes > (size_t)2 * GUARD_SHORT_BYTES) {
            guard_clear_four(p, 128, bytes);
            guard_clear_four(p, 192, bytes);
        }
    }
}

HAK_ALWAYS_INLINE void guard_clear(void *p, size_t bytes) {
    if (bytes <= GUARD_INLINE_BYTES) {
        guard_clear_inline(p, bytes);
    } else if (bytes <= HAK_L2_MAX) {
        memset(p, 0, bytes);
    } else {
        (void)hak_guard_clear_large(p, bytes);
    }
}

/* Of the bytes behind the first four words. pre: bytes > GUARD_SHORT_BYTES */
HAK_ALWAYS_INLINE guard_words guard_any_behind(const char *p, size_t bytes) {
    const size_t last = bytes - GUARD_SHORT_BYTES; /* the last four words may overlap those before */
    guard_words even = {0, 0}, odd = {0, 0};
    for (size_t at = 0; at < last;) {
        at = at + GUARD_SHORT_BYTES < last ? at + GUARD_SHORT_BYTES : last;
        const guard_words *words = (const guard_words *)(p + at);
        even |= words[0] | words[1];
        odd |= words[2] | words[3];
    }
    return even | odd;
}

HAK_ALWAYS_INLINE bool guard_reads_zero(const void *p, size_t bytes) {
    guard_words any = guard_any_of_four(p, 0, bytes);
    if (HAK_UNLIKELY(bytes > GUARD_SHORT_BYTES)) {
        any |= guard_any_behind(p, bytes);
    }
    return (any[0] | any[1]) == 0;
}

#endif
