/* SPDX-License-Identifier: MIT */
/* What all slab pools do once the class is known. Each pool adds how it finds the class. */
#ifndef HAKMEM_POOL_POOL_H
#define HAKMEM_POOL_POOL_H

#include "hakmem/ladder/counts.h"
#include "hakmem/magazine/magazine_fast.h"
#include "hakmem/magazine/thread.h"

/* A block of the class from the loaded magazine; NULL, also for class 0: the caller takes the slow path. */
HAK_FAST_PATH void *pool_pop(unsigned class_index) {
    thread_expect_outside();
    void *p = magazine_pop(class_index);
    ladder_count_allocation(p, class_index);
    return p;
}

/* Allocates a block by an exchange, and returns decayed memory to the system when that is due. `asked`: bytes that the program
 * asked for, here and below; the profile counts them. NULL with errno ENOMEM. */
HAK_NOINLINE void *hak_pool_alloc_slow(unsigned class_index, size_t asked);

/* The same; *zeroed says whether the block reads zero. The caller cannot ask the magazine afterwards: returning memory
 * at the end of the slow path may itself allocate in this class and refill the magazine with other blocks. */
HAK_NOINLINE void *hak_pool_alloc_slow_zeroed(unsigned class_index, size_t asked, bool *zeroed);

/* The same where sampling_may_be_on: the process may not have begun, or the block may be sampled. `caller` is where the program's
 * call returns to. */
HAK_COLD void *hak_pool_alloc_sampled(unsigned class_index, size_t asked, bool *zeroed, const void *caller);

/* Fast and slow path, for callers that know the class. NULL with errno ENOMEM. */
HAK_FAST_PATH void *pool_alloc(unsigned class_index, size_t asked) {
    void *p = pool_pop(class_index);
    return HAK_LIKELY(p != NULL) ? p : hak_pool_alloc_slow(class_index, asked);
}

#endif
