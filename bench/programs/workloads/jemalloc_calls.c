/* SPDX-License-Identifier: MIT */
/* Preloaded beside the allocator under test, for a program that calls jemalloc's own names besides malloc's.
 *
 * Redis from 8 on takes the memory of its Lua by mallocx, and asks malloc_usable_size about it. Preloading replaces only
 * the second name: any other allocator, glibc's too, would be asked about a block of jemalloc's. Here the first
 * leads to the preloaded allocator as well. Arenas and caches, which the flags may name, are jemalloc's alone. */
#include <stdlib.h>

enum { ALIGNMENT_MASK = 0x3f, ZERO = 0x40, ALIGNMENT_LOG_OF_MALLOC = 4, GRAIN = 16 };

void *mallocx(size_t size, int flags);
void *rallocx(void *block, size_t size, int flags);
void dallocx(void *block, int flags);
size_t nallocx(size_t size, int flags);

static int is_plain(int flags) { return (flags & ALIGNMENT_MASK) <= ALIGNMENT_LOG_OF_MALLOC; }

void *mallocx(size_t size, int flags) {
    if (!is_plain(flags)) {
        abort();
    }
    return (flags & ZERO) != 0 ? calloc(1, size) : malloc(size);
}

void *rallocx(void *block, size_t size, int flags) {
    if (!is_plain(flags) || (flags & ZERO) != 0) {
        abort();
    }
    return realloc(block, size);
}

void dallocx(void *block, int flags) {
    (void)flags;
    free(block);
}

/* What mallocx would give at least. */
size_t nallocx(size_t size, int flags) {
    (void)flags;
    return (size + GRAIN - 1) / GRAIN * GRAIN;
}
