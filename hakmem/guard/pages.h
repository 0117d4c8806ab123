/* SPDX-License-Identifier: MIT */
/* Inaccessible pages: behind the blocks of each slab, and in large blocks while they are free.
 *
 *     chunk                     chunk                     chunk behind the slab's own
 *     +-------------------------+----------------+--------+-------------------------+
 *     | block | block | block | block | .. | block  unused| inaccessible            |
 *     +-------------------------+----------------+--------+-------------------------+
 *                                                 ^ the whole pages of the unused end too
 *
 * So between two slabs lies a chunk at least that no pointer may touch; a huge mapping ends in one as well.
 *
 * An inaccessible chunk makes two mappings of one, and the system has room for some 65,530 a process, of which the threads'
 * stacks take two each. So slabs use a 16th of them, huge blocks another: up to half of that every slab has its chunk
 * inaccessible, then one in sixteen at random, and in the end none, which a warning says once. The chunk lies there all the
 * same: it is nobody's, so that an overflow into it hits no block, and the canary tells.
 *
 * A byte a chunk says what is inaccessible in it, so that a chunk that is reused for what it was costs no system call.
 * The byte belongs to whoever the chunk belongs to: no lock. */
#ifndef HAKMEM_GUARD_PAGES_H
#define HAKMEM_GUARD_PAGES_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/guard/guard.h"

/* Chunks behind each slab, and behind each huge block, that are never touched. */
HAK_ALWAYS_INLINE unsigned pages_chunks_behind(void) { return guard_has(HAK_FEATURE_PAGES) ? 1 : 0; }

/* Reserves the bytes. ENOMEM */
int hak_pages_init(void);

/* Makes the bytes of the region at `region` writable. ENOMEM */
int hak_pages_add_region(const void *region);

/* Gives back what describes no block; see region/give_way.h. pre: under the region lock */
void hak_pages_give_way(void);

/* What was allocated for a slab: `chunks` chunks and pages_chunks_behind() more, of which the first `used_bytes` are to be
 * accessible and the whole pages behind them not. ENOMEM: the used bytes may not be accessible. Where the share of
 * mappings is used up, or the system's limit leaves no room, what is to be inaccessible stays accessible.
 * pre: they are of a region that was added, and the caller's */
int hak_pages_protect_slab(void *slab, unsigned chunks, size_t used_bytes);

/* Chunks that are inaccessible behind slabs. A snapshot. */
uint64_t hak_pages_places(void);

/* How many there may be. */
uint64_t hak_pages_places_most(void);

/* The same for a huge mapping of `bytes` bytes and a chunk more; and before the mapping goes. */
void hak_pages_protect_huge(void *start, size_t bytes);
void hak_pages_forget_huge(void);

/* A large block that is a slab of its own, between its free and its next use: where the chunk behind it is inaccessible, of
 * whose mapping it becomes a part. */
void hak_pages_lock(void *block, size_t bytes);
bool hak_pages_are_locked(const void *block);

/* ENOMEM: it is still inaccessible. */
int hak_pages_unlock(void *block, size_t bytes);

#endif
