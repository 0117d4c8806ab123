/* SPDX-License-Identifier: MIT */
/* Huge blocks: larger than L2.5, or aligned to more than a chunk. Each is a mapping of its own, or freed chunks of a
 * region that are still resident. A table lists them.
 *
 * The page map has class 0 for their chunks, so front calls these functions only on its cold paths. Thread-safe; one
 * lock guards the table, and the only system calls under it are those that grow the table. */
#ifndef HAKMEM_HUGE_HUGE_H
#define HAKMEM_HUGE_HUGE_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"

/* The live ones, under the huge lock: for tools outside of the process. */
extern struct block_table hak_huge_blocks;

/* Allocates at least `size` bytes at a multiple of `alignment`; *zeroed: the whole block reads zero.
 * pre: size <= PTRDIFF_MAX, alignment is a power of two. NULL with errno ENOMEM */
void *hak_huge_alloc(size_t size, size_t alignment, bool *zeroed);

/* Whether there may be a huge block of so many bytes: none is larger than PTRDIFF_MAX in whole chunks. */
bool hak_huge_is_possible(size_t size);

/* Makes the first `bytes` of the huge block at p, and the rest of their last page, read zero. Parts of which little is resident are
 * given back to the system in place of being written. `may_ask`: by mincore, which they are; `by_mapping`: they go back by
 * hak_os_purge_by_mapping. pre: p is the start of a huge block of at least so many bytes */
void hak_huge_clear(void *p, size_t bytes, bool may_ask, bool by_mapping);

/* Frees the huge block that starts at p; false if there is none. */
bool hak_huge_free(void *p);

/* Grows or shrinks the block at p by moving pages instead of copying. The result is aligned to a chunk at least, even
 * if p had a larger alignment. NULL: the kernel cannot move it, because it spans several mappings or memory is short; p
 * is unchanged then. pre: p is the start of a huge block */
void *hak_huge_realloc(void *p, size_t size);

/* Bytes of the huge block that starts at p; 0 if there is none. */
size_t hak_huge_usable_size(const void *p);

/* The huge block that p lies in; NULL if there is none. Searches all blocks, so it is meant for reports and queries. */
void *hak_huge_find(const void *p, size_t *size);

/* Calls visit for each live block, under the huge lock. */
void hak_huge_for_each(void (*visit)(void *start, size_t size, void *argument), void *argument);

/* Calls visit for the memory of the table itself, under the huge lock. */
void hak_huge_visit_table(void (*visit)(void *start, size_t size, void *argument), void *argument);

/* Visits the huge lock for fork, so that the child finds the table consistent. */
void hak_huge_fork_locks(lock_visit *visit, struct lock_fork *fork);

struct hak_huge_totals {
    uint64_t allocations, frees, live_blocks, live_bytes, metadata_bytes;
    uint64_t live_blocks_most, live_bytes_most; /* at any one time */
    uint64_t changes; /* changes of the table; while this is unchanged, so are all fields above */
};
void hak_huge_totals(struct hak_huge_totals *totals);

#endif
