/* SPDX-License-Identifier: MIT */
/* Allocation for threads without magazines: threads that have ended but still run destructors, threads for whose record there
 * was no memory, and threads that have not begun when the C library frees in them. One lock serves all of them; it is slow and
 * rarely needed. */
#ifndef HAKMEM_MAGAZINE_SHARED_H
#define HAKMEM_MAGAZINE_SHARED_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"

/* Allocates a block of the class. NULL: no memory */
void *hak_shared_alloc(unsigned class_index);

/* Frees p, a block of the class. */
void hak_shared_free(unsigned class_index, void *p);

/* Counts blocks that a thread without magazines got from or returned to the profile's slabs. */
void hak_shared_count(unsigned class_index, uint64_t allocations, uint64_t frees);

/* Gives up the slabs that these threads share. */
void hak_shared_flush(void);

/* Around fork: the child finds the shared slabs consistent. */
void hak_shared_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* Counts since the start; exact while no thread is inside. */
void hak_shared_class_totals(unsigned class_index, uint64_t *allocations, uint64_t *frees);

#endif
