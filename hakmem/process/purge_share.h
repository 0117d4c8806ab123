/* SPDX-License-Identifier: MIT */
/* How much may wait where a thread of our own purges, however young it is: beside the most that was in use within the last one or
 * two delays, a share of that.
 *
 *     in use + waiting <= most + most / PURGE_SHARE                  or PURGE_SHARE_LEAST, whatever is more
 *
 * So a program that frees all that it has and allocates as much again within the delay finds it where it was, as before. One whose
 * sizes drift finds what it freed no use for, and does not hold its former blocks beside its new ones for a whole delay.
 *
 * What is more goes back at once, and costs a page fault where the program wants it again. So there is an allowance for it: it
 * grows with time, up to as much as was in use at most. A program that replaces its blocks faster than that has more that waits, and
 * pays no more.
 *
 * By the thread that purges, which is one at a time (own_thread.h). Nothing here asks the system or takes a lock. */
#ifndef HAKMEM_PROCESS_PURGE_SHARE_H
#define HAKMEM_PROCESS_PURGE_SHARE_H

#include <stddef.h>
#include <stdint.h>

#define PURGE_SHARE 8
#define PURGE_SHARE_LEAST ((size_t)8 << 20)

/* By how much the allowance grows in a millisecond, bytes, at least: 64 MiB in a second, whose page faults cost 2 % of two
 * processors where each takes 2.3 us. Where more than a GiB is in use, a 16th of it in a second. */
#define PURGE_SHARE_PER_MS ((size_t)64 << 10)
#define PURGE_SHARE_PER_MS_OF ((size_t)16 << 10)

/* Less is not worth a pass over all classes. */
#define PURGE_SHARE_PASS ((size_t)1 << 20)

struct purge_share {
    size_t most[2];                 /* in use, of this period and of the one before; a period is a delay */
    uint64_t period_ms, allowed_ms; /* when the period began; until when the allowance has grown */
    size_t allowance;
};

/* The thread begins. `committed`: what was in use and what waited when that was decided, which all was in use a moment
 * before. What the last one left of the allowance stays. */
void hak_purge_share_begin(struct purge_share *share, uint64_t now_ms, size_t committed);

/* How much is to go back now, bytes, at least PURGE_SHARE_PASS or 0. */
size_t hak_purge_share_excess(struct purge_share *share, uint64_t now_ms, uint64_t delay_ms, size_t in_use,
                              size_t waiting);

/* So much of it did. */
void hak_purge_share_spend(struct purge_share *share, size_t bytes);

/* The least sum of what is in use and what waits at which another look pays; SIZE_MAX: none does before the allowance has grown. */
size_t hak_purge_share_look_at(const struct purge_share *share, size_t committed);

#endif
