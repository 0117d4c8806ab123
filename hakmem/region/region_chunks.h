/* SPDX-License-Identifier: MIT */
/* The memory of a region: its header and its chunks, the first of which are writable.
 *
 *     region                chunk 19                 ready                  reserved            32 MiB
 *     +------+--------+-----+----------+-------------+----------------------+-------------------+
 *     | wall | header | gap | skipped  | chunks      | reserved             | anybody's         |
 *     +------+--------+-----+----------+-------------+----------------------+-------------------+
 *
 * The gap is never accessible, nor is the wall. So no huge page covers a header, which is touched sparsely, and no overflow
 * of a block reaches one from below or from above. A full region is four mappings: wall, header, gap, chunks. Beyond so many
 * regions (WALLS_MOST) a region is open: it has neither wall nor gap, and all of it is made ready at once, because the kernel
 * then joins it with the region beside it to one mapping, and the system's limit of mappings does not end the heap.
 *
 * Usually the whole region is reserved. If the kernel counts reserved memory (RLIMIT_AS, mlockall) and refuses it, or if the
 * tables gave way, nothing is reserved, and the region grows until it meets another mapping.
 *
 * All functions are called under the region lock. */
#ifndef HAKMEM_REGION_REGION_CHUNKS_H
#define HAKMEM_REGION_REGION_CHUNKS_H

#include "hakmem/region/region.h"

/* Maps a region whose header is writable, and zero except `ready` and `reserved`. ENOMEM, EAGAIN */
int hak_region_chunks_map(struct region **out);

/* Unmaps a region. pre: no other thread knows it */
void hak_region_chunks_unmap(struct region *region);

/* Makes chunks ready up to `end`, and more if that is cheap. ENOMEM, EAGAIN: may succeed later; EEXIST: never will */
int hak_region_chunks_ready(struct region *region, unsigned end);

/* Chunks from `end` on are ready no more: what was in them is gone, and the limits of the system have room for
 * something else. Result: whether it was done, which is not worth it for a few */
bool hak_region_chunks_shrink(struct region *region, unsigned end);

/* No region that is mapped from now on is reserved. */
void hak_region_chunks_stop_reserving(void);

/* Skips a random number of chunks at the start of a new region; none where it is not reserved. */
void hak_region_chunks_skip(struct region *region);

/* Makes some of the skipped chunks ready, those behind the others. Result: how many; 0: none are left, or the system
 * refuses them */
unsigned hak_region_chunks_unskip(struct region *region);

/* Unmaps the parts that are reserved and not ready. Returns whether there was one */
bool hak_region_chunks_release(struct region *region);

/* Whether at least three quarters of the memory that huge pages may cover are resident. */
bool hak_region_chunks_are_dense(struct region *region);

/* Makes all of a new region ready, as one mapping; false if that cannot be. */
bool hak_region_chunks_ready_all(struct region *region);

/* Asks for huge pages in a region that was made ready as a whole; false if there are none. pre: under the region lock, or nobody else
 * knows the region; as below */
bool hak_region_chunks_ask_huge(struct region *region);

/* Asks the kernel to make no more huge pages in the region. */
void hak_region_chunks_refuse_huge(struct region *region);

#endif
