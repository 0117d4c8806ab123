/* SPDX-License-Identifier: MIT */
/* What waits to be purged, and passes over it, of a piece at a time: the part of purging that the polls (purge.c) and the thread
 * of our own (purge_thread.c) share. The four that purge what waits take the purge lock, a piece at a time; pre: as for purge_poll. The
 * others do not take it. */
#ifndef HAKMEM_PROCESS_PURGE_PASS_H
#define HAKMEM_PROCESS_PURGE_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem/base/lock.h"

/* What an idle thread's record keeps, bytes, beside its first page. */
#define PURGE_IDLE_BYTES ((size_t)24 << 10)

/* What is purged, or looked at in vain, in one hold of the purge lock, bytes: some two milliseconds. */
#define PURGE_PIECE_BYTES ((size_t)8 << 20)

/* How long idle threads are not looked for again, ms. */
#define PURGE_IDLE_LOOK_MS 100

struct hak_thread;

/* Bytes in whole chunks and mappings that still decay. */
size_t hak_purge_waiting_bytes(void);

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

/* Takes the slabs of threads that have become idle, and purges a piece of what has decayed. The threads are looked at only where no pass
 * did so within the last PURGE_IDLE_LOOK_MS. */
void hak_purge_idle(uint64_t now_ms);

/* Whether memory goes back by mmap over it and not by madvise: the process has one thread, and is no child of a fork. */
bool hak_purge_is_by_mapping(void);

/* Purges everything that is free, decayed or not. Result: bytes. */
size_t hak_purge_all(void);

/* Returns the storage of the calling thread's magazines to the system where it is worth a system call. pre: they are taken
 * away (hak_exchange_flush_idle) */
void hak_purge_idle_record(struct hak_thread *record);

/* In a child that no handler of fork saw: releases the purge lock if the parent's thread held it. Before the child has a thread of
 * its own, which takes that one's place in own_thread.h, and before each purge and fork; any thread. */
void hak_purge_unlock_gone(void);

/* Around fork: whoever purges lets the lock go for a moment, and no purge is in progress; and in the child. */
void hak_purge_fork_begin(void);
void hak_purge_fork_end(void);
void hak_purge_fork_locks(lock_visit *visit, struct lock_fork *fork);
void hak_purge_pass_fork_child(void);

#endif
