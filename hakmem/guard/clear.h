/* Clearing memory, and looking whether it is clear: inline for blocks that are small.
 *
 * `bytes` is a multiple of 16, and p aligned to that, as every block is in builds with guard. No lock. */
#ifndef HAKMEM_GUARD_CLEAR_H
#define HAKMEM_GUARD_CLEAR_H

#include <string.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"

/* Two words in one register, which may stand for any type. */
typedef uint64_t guard_words __attribute__((vector_size(16), may_alias));

/* Blocks of up to the first are cleared, and looked at, in so many bytes whatever their size, the last of them repeatedly:
 * a loop's end could not be predicted. Up to the second in twice as many. */
#define GUARD_SHORT_BYTES 128
#define GUARD_INLINE_BYTES 256

/* Large is a block from here on: making a smaller one inaccessible costs more than all else that is done to it. */
#define GUARD_LARGE_BYTES ((size_t)128 << 10)

/* Of more than L2's: keeps what is not resident from becoming so. */
void guard_clear_large(void *p, size_t bytes);

/* The words at `at`, or the last of so many bytes. */
HAK_ALWAYS_INLINE size_t guard_within(size_t at, size_t bytes) {
    const size_t last = bytes - sizeof(guard_words);
    return at < last ? at : last;
}

/* `limit`: constant; 0 < bytes <= limit */
HAK_ALWAYS_INLINE void guard_clear_within(void *p, size_t bytes, size_t limit) {
    for (size_t at = 0; at < limit; at += sizeof(guard_words)) {
        *(guard_words *)((char *)p + guard_within(at, bytes)) = (guard_words){0, 0};
    }
}

HAK_ALWAYS_INLINE guard_words guard_any_within(const void *p, size_t bytes, size_t limit) {
    guard_words any = {0, 0};
    for (size_t at = 0; at < limit; at += sizeof(guard_words)) {
        any |= *(const guard_words *)((const char *)p + guard_within(at, bytes));
    }
    return any;
}

HAK_ALWAYS_INLINE void guard_clear(void *p, size_t bytes) {
    if (HAK_LIKELY(bytes <= GUARD_SHORT_BYTES)) {
        guard_clear_within(p, bytes, GUARD_SHORT_BYTES);
    } else if (bytes <= GUARD_INLINE_BYTES) {
        guard_clear_within(p, bytes, GUARD_INLINE_BYTES);
    } else if (bytes <= HAK_L2_MAX) {
        memset(p, 0, bytes);
    } else {
        guard_clear_large(p, bytes);
    }
}

HAK_ALWAYS_INLINE guard_words guard_any(const void *p, size_t bytes) {
    const guard_words *words = (const guard_words *)p;
    guard_words even = {0, 0}, odd = {0, 0};
    size_t i = 0;
    for (; i + 1 < bytes / sizeof *words; i += 2) {
        even |= words[i];
        odd |= words[i + 1];
    }
    return i < bytes / sizeof *words ? even | odd | words[i] : even | odd;
}

HAK_ALWAYS_INLINE bool guard_reads_zero(const void *p, size_t bytes) {
    const guard_words any = HAK_LIKELY(bytes <= GUARD_SHORT_BYTES) ? guard_any_within(p, bytes, GUARD_SHORT_BYTES)
                            : bytes <= GUARD_INLINE_BYTES          ? guard_any_within(p, bytes, GUARD_INLINE_BYTES)
                                                                   : guard_any(p, bytes);
    return (any[0] | any[1]) == 0;
}

#endif
