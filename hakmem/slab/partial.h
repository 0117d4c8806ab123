/* SPDX-License-Identifier: MIT */
/* The lists of PARTIAL slabs, one set a class, under the class lock. */
#ifndef HAKMEM_SLAB_PARTIAL_H
#define HAKMEM_SLAB_PARTIAL_H

#include "hakmem/base/lock.h"
#include "hakmem/region/decay.h"
#include "hakmem/slab/slab.h"

/* Moves an unowned slab to where its count says: into a list, to another one, or back to the region layer.
 * Whoever changes the count across a level calls it. The slab may have been taken, emptied or reused in
 * between: then nothing happens. */
void hak_partial_relist(struct slab *slab, unsigned class_index);

/* Gives the free pages of slabs back that have been in their lists since pass->freed_until_ms or longer, and have more free
 * blocks than when that was last done. true: no such slab is left */
bool hak_partial_purge_piece(struct decay_pass *pass);

/* Whether a purge will find something once it has been listed long enough. A hint. */
bool hak_partial_has_unpurged(void);

/* Bytes of blocks that were freed in listed slabs since those were last purged. Some lie in pages with live blocks, and
 * what came after a slab's listing is missing: a hint. */
size_t hak_partial_unpurged_bytes(void);

/* Around fork: the child finds every class's lists consistent. */
void hak_partial_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* Takes the slab with the fewest free blocks at hand and makes it OWNED; NULL where there is none. */
struct slab *hak_partial_claim(unsigned class_index);

#endif
