/* SPDX-License-Identifier: MIT */
/* Huge blocks: above L2.5, or aligned to more than a chunk. A mapping each, or freed chunks of a region that are resident
 * still, listed in a table of their own.
 *
 * Their chunks read class 0 in the page map, so front asks here on its cold paths only. Any thread; one lock,
 * which is held for no system call but those that grow the table. */
#ifndef HAKMEM_HUGE_HUGE_H
#define HAKMEM_HUGE_HUGE_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"

/* A block of at least `size` bytes at a multiple of `alignment`; *zeroed: all of it reads zero.
 * pre: size <= PTRDIFF_MAX, alignment is a power of two. NULL with errno ENOMEM */
void *hak_huge_alloc(size_t size, size_t alignment, bool *zeroed);

/* false where p is not the start of a huge block. */
bool hak_huge_free(void *p);

/* Grows or shrinks the block at p, by moving pages and not bytes. The result keeps p's alignment only up
 * to a chunk. pre: p is the start of a huge block. NULL: the kernel does not move it, as a part of several
 * mappings or for want of memory; p stays as it was */
void *hak_huge_realloc(void *p, size_t size);

/* Bytes of the block that starts at p; 0 where there is none. */
size_t hak_huge_usable_size(const void *p);

/* The block that p lies in; NULL where there is none. Looks at all of them: for reports and questions. */
void *hak_huge_find(const void *p, size_t *size);

/* Calls visit for each live block, under the huge lock. */
void hak_huge_for_each(void (*visit)(void *start, size_t size, void *argument), void *argument);

/* Around fork: the child finds the table consistent. */
void hak_huge_fork_locks(lock_visit *visit, struct lock_fork *fork);

struct hak_huge_totals {
    uint64_t allocations, frees, live_blocks, live_bytes, metadata_bytes;
    uint64_t live_blocks_most, live_bytes_most; /* at any one time */
    uint64_t changes;                           /* of the table: where it is as it was, so is everything above */
};
void hak_huge_totals(struct hak_huge_totals *totals);

#endif
