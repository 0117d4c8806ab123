/* SPDX-License-Identifier: MIT */
/* What came back is looked at before it goes anywhere: by the owning thread, within an exchange.
 *
 * free stores any pointer into the returned magazine whose chunk is of a class. So a block may lie there twice, or lie in
 * another magazine or in its slab besides, and a pointer may not be the start of a block. None of these should get out of malloc.
 * There are two looks:
 *
 *     thorough   the first CHECK_FIRST exchanges of a class, then each CHECK_THOROUGH_EACH-th, and at the end of the process: each
 *                is the start of a block, and in no place besides: not in the magazine a second time, nor in the loaded one or
 *                the stash, nor free in its slab
 *     ordinary   each CHECK_ORDINARY_EACH-th of the other exchanges: each is the start of a block, and none is there twice
 *
 * So a program that exchanges little, and each thread and class at first, is looked at in full, and one that exchanges all the
 * time pays 4 instructions for each block. A look at each exchange would cost it 17. What no look can find is a second free while
 * the block waits in the loaded magazine, if malloc gives it out before the next exchange: nothing says any more which of the two
 * came first. Flushes go to the slabs, which find by their bits what is free already.
 *
 * Builds with guard know by the shadow before a block gets into a magazine, and have neither. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_CHECK_H
#define HAKMEM_MAGAZINE_EXCHANGE_CHECK_H

#include "hakmem/magazine/thread.h"

#define CHECK_FIRST 16u
#define CHECK_THOROUGH_EACH 64u
#define CHECK_ORDINARY_EACH 4u

/* Looks at the returned magazine and reports what is wrong; where the policy is to go on, it takes that out. The caller has
 * counted, and notes the levels afterwards. */
void hak_exchange_check_returned(struct hak_thread *thread, unsigned class_index);

/* A thorough look at all that came back to the calling thread, at the end of the process; does not wait for anything. */
HAK_COLD void hak_exchange_check_at_exit(void);

/* Whether p, which is not NULL, is the last block of the class that the calling thread freed: for queries and realloc, which are
 * called too often to look through all magazines. An empty magazine gives NULL. */
HAK_ALWAYS_INLINE bool exchange_just_freed(unsigned class_index, const void *p) {
    return hak_self != NULL && hak_load_owned(&hak_returned[class_index])[-1] == p;
}

#endif
