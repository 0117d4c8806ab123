/* SPDX-License-Identifier: MIT */
/* Quarantines: a freed block waits before it can be allocated again. It replaces the block in a random place, and the replaced block
 * joins a queue, first in, first out:
 *
 *     freed --> one of PLACES, at random --what was there--> the end of a queue --its oldest--> slab
 *
 * If the thread wants blocks of the class, the oldest go to its magazine instead of the slab.
 *
 * Each class has a few lanes; a lane has its own lock and serves some of the threads, so that a thread mostly gets back blocks
 * that it freed itself: full guard reads and writes whole blocks, which costs several times as much if another processor had
 * them last. Exchanges pass a batch of blocks at a time, so the lock costs little for each. Quarantined blocks count as free; the
 * statistics add them to the cached ones. Huge blocks have a queue and no places. */
#ifndef HAKMEM_GUARD_QUARANTINE_H
#define HAKMEM_GUARD_QUARANTINE_H

#include "hakmem/guard/guard.h"

/* The most blocks that one call takes: a magazine's. */
#define QUARANTINE_BATCH 128

/* Threads share that many lanes by their numbers. */
#define QUARANTINE_LANES 4

/* Takes `count` blocks of the class in from thread number `thread`, and lets as many out as have waited long enough: into
 * leaving[0 .. result).
 * pre: count <= QUARANTINE_BATCH, and no block is NULL. Any thread */
uint32_t hak_quarantine_pass(unsigned class_index, uint32_t thread, void *const *blocks, uint32_t count,
                             void **leaving);

/* Lets up to QUARANTINE_BATCH out however short they waited. 0: none is left. Any thread */
uint32_t hak_quarantine_drain(unsigned class_index, void **leaving);

/* Blocks of the class that wait. A snapshot. */
uint64_t hak_quarantine_blocks(unsigned class_index);

/* A mapping of a huge block, what lies behind it included. */
struct quarantine_span {
    void *start;
    size_t bytes;
};

/* Takes a span in, alone where it is larger than all that may wait. true: it did not, *leaving has to go first, and the
 * caller asks again. Any thread */
bool hak_quarantine_pass_huge(const struct quarantine_span *span, struct quarantine_span *leaving);

/* Lets the oldest out. false: there is none. Any thread */
bool hak_quarantine_drain_huge(struct quarantine_span *leaving);

/* Whether p lies in a span that waits. */
bool hak_quarantine_has_huge(const void *p);

/* Around fork: the child finds the quarantines consistent. */
void hak_quarantine_fork_locks(lock_visit *visit, struct lock_fork *fork);

#endif
