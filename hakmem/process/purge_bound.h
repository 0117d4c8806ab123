/* SPDX-License-Identifier: MIT */
/* How much may wait to be purged, where the delay alone would let more wait. Two bounds:
 *
 * - Always: what is in use and what waits are together at most an eighth (or BOUND_SHARE_BYTES) more than the most that was in use
 *   lately. So a program whose block sizes drift does not hold the memory of its former sizes beside that of its new ones.
 *   A program that changes its sizes faster than the delay would pay for that with page faults; what is given back for this
 *   bound within a delay has a limit, which falls while it is reached.
 * - Where no thread purges, since a program that sleeps polls no more: BOUND_ALONE_BYTES, or as much as is in use. This
 *   bound grows for a program that soon takes back what was given back.
 *
 * Called by purge.c, from any thread, without locks. All counts are snapshots, and two polls at once make the bounds a little
 * wrong at most. */
#ifndef HAKMEM_PROCESS_PURGE_BOUND_H
#define HAKMEM_PROCESS_PURGE_BOUND_H

#include "hakmem/base/compiler.h"

/* What may wait at least, bytes, beside what was in use lately. */
#define BOUND_SHARE_BYTES ((size_t)2 << 20)

/* What may wait, bytes, where no thread runs and less is in use. glibc keeps 128 KiB at first, and 64 MiB
 * at most. */
#define BOUND_ALONE_BYTES ((size_t)16 << 20)

/* What may wait at most, bytes, where the program has shown that it takes it back at once; or twice what is in use. */
#define BOUND_LEARNED_BYTES ((size_t)256 << 20)

/* How many of the `to_do` bytes that wait are to be purged now: what is more than the bounds, and a quarter more, so that
 * not every call has to. */
size_t hak_bound_excess(uint64_t now_ms, size_t to_do, bool has_thread);

/* Notes that so many bytes were purged because hak_bound_excess said so. */
void hak_bound_note_given(uint64_t now_ms, size_t bytes);

/* Notes that so many bytes were purged that nobody wanted for the whole delay. */
void hak_bound_note_aged(size_t bytes);

#endif
