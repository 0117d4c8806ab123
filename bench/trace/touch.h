/* SPDX-License-Identifier: MIT */
/* What the replay does with a block's memory: the trace does not say what the program did with it.
 *
 *   TOUCH_PAGES  writes the first and the last byte and one in every page when the block is allocated, reads the first
 *                and the last before it is freed: all of its memory becomes resident, and both ends are in the cache
 *   TOUCH_EDGES  only the first and the last byte: large blocks stay mostly unused
 *   TOUCH_NONE   nothing: only the allocator touches the memory
 *
 * A realloc writes the pages that are new, and the last byte. */
#ifndef BENCH_TRACE_TOUCH_H
#define BENCH_TRACE_TOUCH_H

#include "hakmem/base/compiler.h"

enum touch { TOUCH_NONE, TOUCH_EDGES, TOUCH_PAGES };

#define TOUCH_PAGE 4096

/* Bytes from `from` on are new. */
HAK_ALWAYS_INLINE void touch_made(void *p, uint64_t from, uint64_t size, enum touch touch) {
    volatile char *bytes = p;
    if (touch == TOUCH_NONE || from >= size) {
        return;
    }
    if (touch == TOUCH_PAGES) {
        for (uint64_t i = from; i < size; i += TOUCH_PAGE) {
            bytes[i] = 1;
        }
    } else {
        bytes[from] = 1;
    }
    bytes[size - 1] = 1;
}

HAK_ALWAYS_INLINE void touch_freed(const void *p, uint64_t size, enum touch touch) {
    const volatile char *bytes = p;
    if (touch != TOUCH_NONE && size > 0) {
        (void)bytes[0];
        (void)bytes[size - 1];
    }
}

#endif
