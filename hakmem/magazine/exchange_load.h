/* SPDX-License-Identifier: MIT */
/* Fills the loaded magazine: from the returned one, the stash, guard's quarantine or a slab. By the owning thread. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_LOAD_H
#define HAKMEM_MAGAZINE_EXCHANGE_LOAD_H

#include "hakmem/magazine/exchange_check.h"
#include "hakmem/magazine/exchange_learn.h"
#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/magazine/exchange_room.h"

/* Bytes of the blocks that a thread's first refill of a class takes: one page, since a page is touched anyway. */
#define EXCHANGE_FIRST_BYTES 4096u

/* The least number of blocks in the returned magazine that make a swap worth it. Fewer would soon be used up, and the
 * next exchange due. */
HAK_ALWAYS_INLINE uint32_t exchange_swap_least(const struct hak_thread *thread, unsigned class_index) {
    return exchange_capacity(thread, class_index) / 8 + 1;
}

/* The end of exchange_swap_in where the check took something out of the returned magazine. Returns false. */
HAK_COLD bool hak_exchange_swap_in_rest(struct hak_thread *thread, unsigned class_index);

/* Within an exchange: moves the `level` blocks of the returned magazine into the loaded one. pre: that is empty, and the
 * class is packed */
HAK_NOINLINE void hak_exchange_swap_packed(struct hak_thread *thread, unsigned class_index, uint32_t level);

/* The commonest exchange, whole: the calling thread's two magazines change places. false: nothing changed, because the
 * returned magazine holds hardly anything or it is time to decide whether the class is hot. pre: the loaded magazine is
 * empty; in guard builds the shadow has the flat form */
HAK_ALWAYS_INLINE bool exchange_swap_in(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    void **const empty = hak_loaded[class_index], **const top = hak_returned[class_index];
    const uint32_t level = magazine_level(top, class_index) - own->unused_slots;
    uint8_t *const recent_exchanges = ladder_recent_exchanges(&own->recent_exchanges);
    if (level < exchange_swap_least(thread, class_index) || HAK_UNLIKELY(*recent_exchanges + 1 >= EXCHANGE_HOT) ||
        exchange_learns_now(thread, class_index, ladder_caller())) {
        return false;
    }
    ++*recent_exchanges;
    exchange_enter(thread);
    exchange_learn(thread, class_index, ladder_caller());
    exchange_charge(thread, class_index, LADDER_WORK_SWAP, 1);
    if (exchange_counts()) {
        hak_store_release(&own->allocations, own->allocations + own->loaded_level);
        hak_store_release(&own->frees, own->frees + (level - own->returned_level));
    }
    if (!HAK_GUARD_EXACT) {
        hak_exchange_check_returned(thread, class_index);
        if (HAK_UNLIKELY(hak_returned[class_index] != top)) {
            return hak_exchange_swap_in_rest(thread, class_index);
        }
    }
    if (HAK_LIKELY(!exchange_is_packed(thread, class_index))) {
        hak_store_release(&hak_loaded[class_index], top);
        hak_store_release(&hak_returned[class_index], empty);
    } else {
        hak_exchange_swap_packed(thread, class_index, level);
    }
    hak_store_release(&own->loaded_level, (uint16_t)level);
    hak_store_release(&own->returned_level, (uint16_t)0);
    own->loaded_zeroed = false;
    own->is_used = RECORD_USED;
    own->overflows = 0;
    exchange_note_class(thread, class_index);
    exchange_leave(thread);
    return true;
}

/* An exchange that gets blocks into the loaded magazine, and takes one of them; or takes a block from a slab, where the class has
 * no room in magazines. NULL: no memory. pre: the loaded magazine is empty */
void *hak_exchange_load(struct hak_thread *thread, unsigned class_index);

/* Takes in what other threads freed into the class's active slabs, in a write section of its own. Only where `drain` says so. */
HAK_COLD void hak_exchange_drain(struct hak_thread *thread, unsigned class_index);

/* Within an exchange: the two magazines change places. pre: the loaded one is empty */
void hak_exchange_swap(struct hak_thread *thread, unsigned class_index);

#endif
