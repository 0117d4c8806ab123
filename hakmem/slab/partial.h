/* SPDX-License-Identifier: MIT */
/* The lists of PARTIAL slabs: one set for each class, guarded by the class lock. */
#ifndef HAKMEM_SLAB_PARTIAL_H
#define HAKMEM_SLAB_PARTIAL_H

#include "hakmem/base/lock.h"
#include "hakmem/region/decay.h"
#include "hakmem/slab/slab.h"

/* Moves an unowned slab to the place for its count: into a list, to another list, or back to the region layer. Called
 * by the thread whose change of the count crosses a level, or is the first since the slab was purged. Does nothing if
 * the slab was taken, emptied or reused meanwhile. */
void hak_partial_relist(struct slab *slab, unsigned class_index);

/* Returns free pages to the kernel, of at most 64 slabs that have been listed since pass->freed_until_ms or longer and
 * have more free blocks than at their last purge; of each level of a class those first that were listed first. true: the pass has
 * been through all classes, and no such slab is left but what others listed since it came to its class */
bool hak_partial_purge_piece(struct decay_pass *pass);

/* Bytes of blocks in listed slabs that were freed since the slab's last purge; 0: no slab is to be purged. Only a hint:
 * some share pages with live blocks, and frees after the listing are not counted. */
size_t hak_partial_unpurged_bytes(void);

/* Bytes of blocks in listed slabs that were free at the slab's last purge, since when nobody took one of them. A hint: those that
 * share pages with live blocks are still resident. */
size_t hak_partial_purged_bytes(void);

/* Visits the class locks for fork, so that the child finds the lists of every class consistent. */
void hak_partial_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* Takes a slab from the fullest list that is not empty and makes it OWNED; NULL if there is none. */
struct slab *hak_partial_claim(unsigned class_index);

#endif
