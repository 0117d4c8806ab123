/* The lists of PARTIAL slabs, one set a class, under the class lock. */
#ifndef HAKMEM_SLAB_PARTIAL_H
#define HAKMEM_SLAB_PARTIAL_H

#include "hakmem/base/lock.h"
#include "hakmem/slab/slab.h"

/* Moves an unowned slab to where its count says: into a list, to another one, or back to the region layer.
 * Whoever changes the count across a level calls it. The slab may have been taken, emptied or reused in
 * between: then nothing happens. */
void partial_relist(struct slab *slab, unsigned class_index);

/* Gives the free pages of every slab back that has been in its list since `listed_until_ms` or longer, and
 * has more free blocks than when that was last done. Result: bytes. */
size_t partial_purge(uint64_t listed_until_ms);

/* Whether partial_purge will find something once it has been listed long enough. A hint. */
bool partial_has_unpurged(void);

/* Bytes of blocks that were freed in listed slabs since those were last purged. Some lie in pages with live blocks, and
 * what came after a slab's listing is missing: a hint. */
size_t partial_unpurged_bytes(void);

/* Around fork: the child finds every class's lists consistent. */
void partial_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* Takes the slab with the fewest free blocks at hand and makes it OWNED; NULL where there is none. */
struct slab *partial_claim(unsigned class_index);

#endif
