/* SPDX-License-Identifier: MIT */
/* Who may change the active slabs of a thread's class: its owner, except for moments in which an idle thread's slabs are
 * taken away (idle.h). The owner holds the class whenever an exchange changes slabs, and not when it swaps magazines. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_HOLD_H
#define HAKMEM_MAGAZINE_EXCHANGE_HOLD_H

#include "hakmem/base/assert.h"
#include "hakmem/magazine/record.h"

enum exchange_holder { EXCHANGE_HOLDER_NONE, EXCHANGE_HOLDER_OWNER, EXCHANGE_HOLDER_OTHER };

/* exchange_hold while somebody holds the class: waits for another thread. The caller itself does in an exchange that a
 * signal handler has interrupted, and did perhaps in the parent of a fork. */
void hak_exchange_hold_rest(uint8_t *holder, uint8_t seen);

/* Holds the class for the calling thread, which owns the record. */
HAK_ALWAYS_INLINE void exchange_hold(struct hak_thread *thread, unsigned class_index) {
    uint8_t *holder = &thread->classes[class_index].holder, seen = EXCHANGE_HOLDER_NONE;
    /* Acquire: pairs with the release of whoever held the class before. */
    if (HAK_UNLIKELY(!hak_compare_exchange_acq_rel(holder, &seen, (uint8_t)EXCHANGE_HOLDER_OWNER))) {
        hak_exchange_hold_rest(holder, seen);
    }
    DISTURB();
}

/* What changes the class's active slabs, or frees into slabs on behalf of the thread, stands between hold and let go. */
HAK_ALWAYS_INLINE void exchange_assert_held(struct hak_thread *thread, unsigned class_index) {
    HAK_ASSERT(hak_load_relaxed(&thread->classes[class_index].holder) == EXCHANGE_HOLDER_OWNER);
    (void)thread;
    (void)class_index;
}

/* Release: pairs with the compare-exchange of whoever holds the class next. */
HAK_ALWAYS_INLINE void exchange_let_go(struct hak_thread *thread, unsigned class_index) {
    DISTURB();
    hak_store_release(&thread->classes[class_index].holder, (uint8_t)EXCHANGE_HOLDER_NONE);
}

#endif
