/* SPDX-License-Identifier: MIT */
/* The front of debug builds that are watched (base/watcher.h): memcheck or AddressSanitizer is told where each block begins and ends,
 * and when.
 *
 * The program's block lies within a larger one of hakmem's, so that there are inaccessible bytes on both sides of it. And so no
 * pointer of hakmem's own leads into it: memcheck would take those that stay behind in magazines for the program's, and find no leak.
 *
 * Called where WATCHER_RUNS(), by any thread; no lock is held. Other builds have none of these functions. `caller` is where the program's
 * call returns to. */
#ifndef HAKMEM_FRONT_WATCHED_H
#define HAKMEM_FRONT_WATCHED_H

#include "hakmem/base/compiler.h"

/* hak_alloc (with alignment 1), hak_aligned_alloc of a valid alignment, hak_calloc of so many bytes, hak_realloc of p not NULL to a
 * size other than 0. */
void *hak_watched_alloc(size_t alignment, size_t size, const void *caller);
void *hak_watched_calloc(size_t bytes, const void *caller);
void *hak_watched_realloc(void *p, size_t size, const void *caller);

/* The size that was asked for, as malloc_usable_size has it under memcheck; 0 where p is no live block. */
size_t hak_watched_usable_size(const void *p);

/* Ends the block at p, any p, for the program. Result: hakmem's own block, which is to be freed. NULL: there is none, and unless p
 * is NULL it was reported. */
void *hak_watched_take(void *p, const void *caller);

#endif
