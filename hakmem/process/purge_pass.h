/* SPDX-License-Identifier: MIT */
/* What waits to be purged, and passes over it, of a piece at a time: the part of purging that the polls (purge.c) and the thread
 * of our own (purge_thread.c) share. All functions take the purge lock for as long as a piece takes; pre: as for purge_poll. */
#ifndef HAKMEM_PROCESS_PURGE_PASS_H
#define HAKMEM_PROCESS_PURGE_PASS_H

#include <stddef.h>
#include <stdint.h>

/* What waits and has not been refused, but for records of ended threads, which are little. The counts are snapshots. */
size_t hak_purge_to_do_bytes(void);

/* What is resident for the program's sake. */
size_t hak_purge_in_use_bytes(void);

/* That, and what waits: the sum of the two above, but for snapshots. */
size_t hak_purge_resident_bytes(void);

/* Purges what has decayed, at most so much, and schedules the next look if something is left. */
void hak_purge_aged(uint64_t now_ms, size_t bytes);

/* Purges so much, the oldest first, decayed or not. Result: how much. */
size_t hak_purge_oldest(uint64_t now_ms, size_t bytes);

/* Takes the slabs of threads that have become idle, and purges a piece of what has decayed. */
void hak_purge_idle(uint64_t now_ms);

/* In the child of a fork. */
void hak_purge_pass_fork_child(void);

#endif
