/* SPDX-License-Identifier: MIT */
/* Blocks of size 0: addresses in a range that nobody may touch, 16 bytes apart.
 *
 * Addresses are taken in turn, so that one that was freed comes again after all others. Any thread; one lock.
 * Where addresses are scarce, the range gives way (region/give_way.h). */
#ifndef HAKMEM_GUARD_ZERO_SIZE_H
#define HAKMEM_GUARD_ZERO_SIZE_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"

#define ZERO_SIZE_ALIGNMENT 16

/* Reserves the range. ENOMEM */
int hak_zero_size_init(void);

/* An address of its own. NULL: all are in use */
void *hak_zero_size_alloc(void);

/* Whether p lies in the range. */
bool hak_zero_size_has(const void *p);

/* Whether p is a block of size 0 that is live. */
bool hak_zero_size_is_live(const void *p);

/* false where p is not live. pre: p lies in the range */
bool hak_zero_size_free(void *p);

/* Gives most of the range back, where hardly any of it is used: what comes there is never live here. false: nothing
 * was given back. */
bool hak_zero_size_give_way(void);

/* Calls visit for every live one, with size 0, under the lock. */
void hak_zero_size_for_each(void (*visit)(void *start, size_t size, void *argument), void *argument);

struct hak_zero_size_totals {
    uint64_t allocations, frees;
};
void hak_zero_size_totals(struct hak_zero_size_totals *totals);

/* Around fork: the child finds the range consistent. */
void hak_zero_size_fork_locks(lock_visit *visit, struct lock_fork *fork);

#endif
