/* SPDX-License-Identifier: MIT */
/* The memory of a region: its header and its chunks, of which a first part can be written.
 *
 *     region         chunk 19                 ready                  reserved            32 MiB
 *     +--------+-----+------------------------+----------------------+-------------------+
 *     | header | gap | chunks                 | reserved             | anybody's         |
 *     +--------+-----+------------------------+----------------------+-------------------+
 *
 * The gap is never accessible: no huge page fits over a header, which is touched sparsely, and no block's overflow reaches one.
 * All of a region is reserved mostly. Where the kernel counts what is reserved (RLIMIT_AS; who locks all memory) and has no room
 * for it, or the process gave way, nothing is, and the region grows until somebody else's mapping is in its way.
 *
 * Under the region lock, all. */
#ifndef HAKMEM_REGION_REGION_CHUNKS_H
#define HAKMEM_REGION_REGION_CHUNKS_H

#include "hakmem/region/region.h"

/* A region of which the header can be written, all zero but `ready` and `reserved`. ENOMEM, EAGAIN */
int hak_region_chunks_map(struct region **out);

/* Takes it away. pre: nobody else knows it */
void hak_region_chunks_unmap(struct region *region);

/* Makes chunks ready up to `end`, and more where it comes cheaply. ENOMEM, EAGAIN: now; EEXIST: never */
int hak_region_chunks_ready(struct region *region, unsigned end);

/* Chunks from `end` on are ready no more: what was in them is gone, and the limits of the system have room for something else.
 * Result: whether it was done, which is not worth it for a few */
bool hak_region_chunks_shrink(struct region *region, unsigned end);

/* No region that is mapped from now on is reserved. */
void hak_region_chunks_stop_reserving(void);

/* Gives back what is reserved and not ready. Result: there was something */
bool hak_region_chunks_release(struct region *region);

/* Whether at least three quarters of what huge pages may lie in are resident. */
bool hak_region_chunks_are_dense(struct region *region);

/* Asks for huge pages in a new region, which is all ready then; false: there are none. */
bool hak_region_chunks_ask_huge(struct region *region);

/* Asks for no more of them. */
void hak_region_chunks_refuse_huge(struct region *region);

#endif
