/* SPDX-License-Identifier: MIT */
/* Mappings for blocks above L2.5, and those of freed blocks, which are kept for reuse until they have decayed.
 *
 * huge/ allocates and frees here, from any thread; process/purge_pass.c unmaps what has decayed. One lock guards the list of
 * kept mappings; no system call is made under it. */
#ifndef HAKMEM_REGION_KEPT_H
#define HAKMEM_REGION_KEPT_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"
#include "hakmem/region/decay.h"

/* A span of `size` bytes at a multiple of `alignment`; zeroed: every byte reads zero.
 * pre: both are multiples of HAK_CHUNK_BYTES, alignment is a power of two. ENOMEM */
int hak_kept_alloc(size_t size, size_t alignment, void **start, bool *zeroed);

/* Keeps the mapping for reuse until it decays; one from hak_options.map_threshold on is unmapped at once. */
void hak_kept_free(void *start, size_t size);

/* From now on the kernel may not join mappings that lie side by side: mremap has moved a block, or this is the child of a fork. A block
 * that lies in two cannot be moved by mremap, so none is made of a kept span and a new mapping any more. Any thread. */
void hak_kept_note_pieces(void);

/* Whether p lies in a kept span. */
bool hak_kept_contains(const void *p);

/* Calls visit for each kept span, and for the list of them, whose ends may be where blocks start. Under the lock. */
void hak_kept_for_each(void (*visit)(void *start, size_t size, void *argument), void *argument);

/* Unmaps every kept span of which any part was freed at or before `freed_until_ms`. Result: bytes. */
size_t hak_kept_purge(uint64_t freed_until_ms);

/* The next piece of that, the oldest first. true: nothing is left that is that old, but what was freed since the pass came here */
bool hak_kept_purge_piece(struct decay_pass *pass);

/* Around fork, after the regions' lock, which has the same rank. */
void hak_kept_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* Bytes in kept spans; those of them that the system does not take. Snapshots. */
size_t hak_kept_dirty_bytes(void);
size_t hak_kept_refused_bytes(void);

#endif
