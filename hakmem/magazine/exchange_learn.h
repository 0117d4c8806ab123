/* SPDX-License-Identifier: MIT */
/* Where the players of `learn=elo` change (ladder/learn.h): at the begin of a slow path, which then finds the magazines as the player
 * wants them. In the product nothing of it is left.
 *
 * By the owning thread. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_LEARN_H
#define HAKMEM_MAGAZINE_EXCHANGE_LEARN_H

#include "hakmem/magazine/learning.h"

/* Within an exchange: counts it, before it changes anything; another player may begin its turn, which changes the room of the magazines.
 * `caller`: the place that causes it, where malloc does and learners are by site; NULL: whoever caused the one before */
HAK_NOINLINE void hak_exchange_learn(struct hak_thread *thread, unsigned class_index, const void *caller);

HAK_ALWAYS_INLINE void exchange_learn(struct hak_thread *thread, unsigned class_index, const void *caller) {
    if (LADDER_LEARNS) {
        hak_exchange_learn(thread, class_index, caller);
    }
}

/* Whether a slow path that only swaps has to take the long way, where players change. Outside of exchanges. */
HAK_ALWAYS_INLINE bool exchange_learns_now(struct hak_thread *thread, unsigned class_index, const void *caller) {
    return LADDER_LEARNS && hak_ladder_is_due(exchange_learning(thread), class_index, caller);
}

#endif
