/* SPDX-License-Identifier: MIT */
/* What may wait where no thread of our own purges: the larger of PURGE_BOUND_BYTES, of what is in use, and of what the program has
 * shown that it takes back at once. In the child of a fork PURGE_BOUND_CHILD_BYTES stands for the first, and what is in use counts only
 * where it is more than PURGE_BOUND_CHILD_ABOVE. What was free in a slab when its pages were last given back is not in use, though
 * the slab holds it: pages that went, and also free blocks in pages that stayed since a live block lies in them (hak_partial_purged_bytes).
 *
 * That is found out by what was given back as too much, when, and how much was in the allocator's hands then. A program that takes half
 * of it again within the delay loses more by the page faults than the memory is worth, and may keep twice as much from then on, or as much
 * more as was given. What ages unused halves that. Any thread; two polls at once make it a little wrong at most. */
#ifndef HAKMEM_PROCESS_PURGE_BOUND_H
#define HAKMEM_PROCESS_PURGE_BOUND_H

#include <stddef.h>
#include <stdint.h>

/* What may wait, bytes, where no thread runs and less is in use. glibc keeps 128 KiB at first, and 64 MiB at most. */
#define PURGE_BOUND_BYTES ((size_t)16 << 20)

/* The same in the child of a fork. A server that forks for each connection has hundreds of them, most of which wait for their clients. */
#define PURGE_BOUND_CHILD_BYTES ((size_t)2 << 20)

/* In such a child as much as is in use may wait only where that is more than this, bytes. Slabs and magazines count as in use, and in a
 * small process most of their blocks are free: a PostgreSQL connection that had sorted a table held 6 MiB in slabs, 1.8 MiB of it in live
 * blocks, and 4 MiB waited beside them. */
#define PURGE_BOUND_CHILD_ABOVE ((size_t)8 << 20)

/* What may wait at most, bytes, where the program has shown that it takes it back at once; or twice what is in use. */
#define PURGE_LEARNED_BYTES ((size_t)256 << 20)

/* How much is to go back now, bytes, of `to_do` that wait beside `in_use` that is resident for the program's sake: what is more than the
 * bound, and a quarter of that more, so that not every call has to. */
size_t hak_purge_bound_excess(uint64_t now_ms, size_t in_use, size_t to_do);

/* So much of it did. */
void hak_purge_bound_note_given(uint64_t now_ms, size_t bytes);

/* So much was given back that nobody wanted for the whole delay. */
void hak_purge_bound_unlearn(size_t aged);

/* In the child of a fork: from now on less may wait, and nothing is learned. pre: one thread */
void hak_purge_bound_fork_child(void);

#endif
