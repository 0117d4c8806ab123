/* SPDX-License-Identifier: MIT */
/* What exchanges tell the learners of `learn=elo`, and what they ask the player whose turn it is (ladder/learn.h). In the product
 * each function is a constant, and nothing of it is left. exchange_learn.h has where turns change.
 *
 * By the owning thread, within an exchange unless said otherwise; in the child of a fork by its only thread. */
#ifndef HAKMEM_MAGAZINE_LEARNING_H
#define HAKMEM_MAGAZINE_LEARNING_H

#include "hakmem/ladder/learn.h"
#include "hakmem/magazine/exchange_levels.h"

/* The learners of the thread, which lie behind its record. Any thread. */
HAK_ALWAYS_INLINE struct ladder_learning *exchange_learning(struct hak_thread *thread) {
    return (struct ladder_learning *)((char *)thread + hak_record_bytes());
}

/* Adds work to what the class costs. */
HAK_ALWAYS_INLINE void exchange_charge(struct hak_thread *thread, unsigned class_index, enum ladder_work work,
                                       uint32_t count) {
    if (LADDER_LEARNS) {
        hak_ladder_charge(exchange_learning(thread), class_index, work, count);
    }
}

/* Whether the room of the class may grow while it is hot: also where it was whole, since its share may have become smaller meanwhile. */
HAK_ALWAYS_INLINE bool exchange_may_grow(struct hak_thread *thread, unsigned class_index) {
    return !LADDER_LEARNS || ladder_player(exchange_learning(thread), class_index)->room != LADDER_ROOM_LITTLE;
}

/* Blocks of the next refill: `doubled`, or what the player says. `first` and `half` are the least and the most. */
HAK_ALWAYS_INLINE uint32_t exchange_refill_size(struct hak_thread *thread, unsigned class_index, uint32_t first,
                                                uint32_t doubled, uint32_t half) {
    if (LADDER_LEARNS) {
        const uint8_t refill = ladder_player(exchange_learning(thread), class_index)->refill;
        return refill == LADDER_REFILL_PAGE ? first : refill == LADDER_REFILL_HALF ? half : doubled;
    }
    return doubled;
}

/* Whether a hot class should load more blocks than were returned. */
HAK_ALWAYS_INLINE bool exchange_refill_grows(struct hak_thread *thread, unsigned class_index) {
    return !LADDER_LEARNS || ladder_player(exchange_learning(thread), class_index)->refill != LADDER_REFILL_PAGE;
}

/* Whether a stash of so many magazines may have one more, as far as the player says. */
HAK_ALWAYS_INLINE bool exchange_may_stash(struct hak_thread *thread, unsigned class_index) {
    return !LADDER_LEARNS ||
           thread->classes[class_index].stashed < ladder_player(exchange_learning(thread), class_index)->stash;
}

/* Whether a full returned magazine is given back whole while the loaded one has blocks. */
HAK_ALWAYS_INLINE bool exchange_returns_at_once(struct hak_thread *thread, unsigned class_index) {
    return LADDER_LEARNS && ladder_player(exchange_learning(thread), class_index)->returns_at_once &&
           exchange_loaded_level(thread, class_index) > 0;
}

#endif
