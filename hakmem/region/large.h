/* Large spans: mappings of their own for blocks above L2.5, kept for reuse while they decay.
 *
 * Called by the huge pool, from any thread; one lock of its own, no system call under it. */
#ifndef HAKMEM_REGION_LARGE_H
#define HAKMEM_REGION_LARGE_H

#include "hakmem/base/compiler.h"

struct large {
    void *start;
    size_t size; /* bytes, a multiple of the page size, at least what was asked for */
    bool zeroed; /* every byte reads zero */
};

/* How much larger than asked for a reused span may be, bytes. Cutting every span to size took 21,462 page faults
 * where this takes 3,338: 80,000 operations of `//bench:allocators --scenario=mixed`, blocks of 1 to 4 MiB. */
#define LARGE_EXCESS_MAX ((size_t)4 << 20)

/* A span of at least `size` bytes, at most LARGE_EXCESS_MAX more, at a multiple of `alignment`.
 * pre: both are multiples of the page size, alignment is a power of two. ENOMEM */
int large_alloc(size_t size, size_t alignment, struct large *out);

/* Keeps the span for reuse until it decays; one from hak_options.map_threshold on is unmapped at once. */
void large_free(void *start, size_t size);

/* Whether p is the start of a kept span. */
bool large_is_kept(const void *start);

/* Unmaps every kept span that was freed at or before `freed_until_ms`. Result: bytes. */
size_t large_purge(uint64_t freed_until_ms);

/* Around fork, after the regions' lock, which has the same rank. */
void large_fork_acquire(void);
void large_fork_release(void);

/* Bytes in kept spans. A snapshot. */
size_t large_dirty_bytes(void);

#endif
