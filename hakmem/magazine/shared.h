/* SPDX-License-Identifier: MIT */
/* Blocks for threads without magazines: those that have ended but still run destructors, and those for whose
 * record there was no memory. Slow and correct; one lock for all. */
#ifndef HAKMEM_MAGAZINE_SHARED_H
#define HAKMEM_MAGAZINE_SHARED_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"

/* NULL: no memory */
void *hak_shared_alloc(unsigned class_index);

void hak_shared_free(unsigned class_index, void *p);

/* Counts blocks that such a thread got or gave back elsewhere. */
void hak_shared_count(unsigned class_index, uint64_t allocations, uint64_t frees);

/* Gives up the slabs that these threads share. */
void hak_shared_flush(void);

/* For readers of statistics: no thread allocates here meanwhile. */
void hak_shared_acquire(void);
void hak_shared_release(void);

/* Around fork: the child finds the shared slabs consistent. */
void hak_shared_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* Counts since the start; exact while no thread is inside. */
void hak_shared_class_totals(unsigned class_index, uint64_t *allocations, uint64_t *frees);

#endif
