/* SPDX-License-Identifier: MIT */
/* The front of full guard builds: every allocation and free passes the block through guard/block.h, and reports what that finds.
 * Other builds call none of these. `guarded_` is a call of the program in such a build, and lies here, because it calls the
 * pools; `guard_` is what guard/ does, which slabs and regions call too and which calls none of them. */
#ifndef HAKMEM_FRONT_GUARDED_H
#define HAKMEM_FRONT_GUARDED_H

#include "hakmem/base/compiler.h"

/* hak_alloc, hak_calloc of so many bytes, hak_aligned_alloc of a valid alignment, hak_realloc of p not NULL to a size
 * other than 0, hak_usable_size. `caller` is the program's call, for reports. */
void *hak_guarded_alloc(size_t size, const void *caller);
void *hak_guarded_calloc(size_t bytes, const void *caller);
void *hak_guarded_aligned_alloc(size_t alignment, size_t size, const void *caller);
void *hak_guarded_realloc(void *p, size_t size, const void *caller);
size_t hak_guarded_usable_size(const void *p, const void *caller);

/* Whether a live block starts at p, any p: one of size 0 has no usable byte. */
bool hak_guarded_is_live(const void *p);

/* Before p, which is to be freed, goes back: looks behind it and clears it. `class_index` is what the shadow said of p,
 * any p; what is no block is left alone. */
void hak_guarded_take(void *p, unsigned class_index, const void *caller);

/* Frees p where it is a block of size 0 that is live. */
bool hak_guarded_free_zero_size(void *p);

/* Whether `size` was asked for, of a live block that is `block_bytes` long; true where that is not known. */
bool hak_guarded_size_fits(const void *p, size_t block_bytes, size_t size, const void *caller);

/* Ends every quarantine. */
void hak_guarded_drain(void);

#endif
