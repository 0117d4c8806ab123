/* SPDX-License-Identifier: MIT */
/* Makes the pages of a refill resident ahead of the program's first write to each, in one call of the kernel, where the player of
 * `learn=elo` says so (ladder/learn.h). In the product nothing of it is left.
 *
 * Only pages that no block was taken from before, of slabs whose memory read zero when they were made: others may be resident already. So
 * nothing becomes resident but what the refill took, in whole pages. Where the kernel refuses nothing has happened but a call.
 *
 * By the owning thread, within an exchange. */
#ifndef HAKMEM_MAGAZINE_POPULATE_H
#define HAKMEM_MAGAZINE_POPULATE_H

#include "hakmem/magazine/learning.h"
#include "hakmem/slab/slab.h"

/* The blocks from `fresh_from` to where the slab's fresh ones begin now were just taken. Populates their pages, or adds the page faults that
 * they will cause to what the class costs. */
HAK_NOINLINE void hak_exchange_populate(struct hak_thread *thread, unsigned class_index, const struct slab *slab,
                                        uint32_t fresh_from);

HAK_ALWAYS_INLINE void exchange_populate(struct hak_thread *thread, unsigned class_index, const struct slab *slab,
                                         uint32_t fresh_from) {
    if (LADDER_LEARNS) {
        hak_exchange_populate(thread, class_index, slab, fresh_from);
    }
}

#endif
