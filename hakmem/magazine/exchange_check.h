/* SPDX-License-Identifier: MIT */
/* Checks the pointers in the returned magazine for double and invalid frees, before an exchange puts them where malloc
 * takes blocks.
 *
 * free stores any pointer whose chunk belongs to a class. So a block may lie in the returned magazine twice, may also
 * lie in another magazine or be free in its slab, and a pointer may point into the middle of a block. malloc must
 * return none of these. There are two kinds of check:
 *
 *     thorough   in the first CHECK_FIRST exchanges of a class, in every CHECK_THOROUGH_EACH-th after them, and at the
 *                end of the process: each pointer is the start of a block that is taken in its slab and lies in no
 *                other slot of the class's magazines and stash
 *     ordinary   in every CHECK_ORDINARY_EACH-th of the other exchanges: each pointer is the start of a block, and none
 *                is in the returned magazine twice
 *
 * So programs that exchange rarely are checked completely, and programs that exchange all the time pay 4 instructions a
 * block; an ordinary check in every exchange would cost 17. One case is never found: a block that is freed again while
 * it lies in the loaded magazine, if malloc returns it before the next exchange. Flushes need no check: the slab's bits
 * show what is already free.
 *
 * By the owning thread, within an exchange. Guard builds find an invalid free before the pointer reaches a magazine;
 * there, this does nothing. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_CHECK_H
#define HAKMEM_MAGAZINE_EXCHANGE_CHECK_H

#include "hakmem/magazine/record.h"

#define CHECK_FIRST 16u
#define CHECK_THOROUGH_EACH 64u
#define CHECK_ORDINARY_EACH 4u

/* Checks the returned magazine and reports every fault. If the policy is to continue, it also removes the faulty
 * pointers. The caller counts before (exchange_count) and notes the levels afterwards. */
void hak_exchange_check_returned(struct hak_thread *thread, unsigned class_index);

/* Checks all returned magazines of the calling thread thoroughly, in an exchange of its own. At the end of the process;
 * takes no lock. */
HAK_COLD void hak_exchange_check_at_exit(void);

/* Whether p, not NULL, is the block of the class that the calling thread freed last. For queries and realloc, which are
 * called too often to search all magazines. The slot below an empty magazine is NULL. */
HAK_ALWAYS_INLINE bool exchange_just_freed(unsigned class_index, const void *p) {
    return hak_self != NULL && hak_load_owned(&hak_returned[class_index])[-1] == p;
}

#endif
