/* SPDX-License-Identifier: MIT */
/* See exchange_learn.h. Empty in the product. */
#include "hakmem/magazine/exchange_learn.h"

#include "hakmem/magazine/exchange_flush.h"
#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/exchange_room.h"
#include "hakmem/magazine/stash.h"

#if HAK_LEARN

/* Slots that the player gives each magazine. `grown`: what one whose room grows had when its turn ended, 0: nothing yet */
static uint32_t exchange_room_of(const struct ladder_player *player, unsigned class_index, uint32_t grown) {
    const uint32_t first = hak_exchange_first_room(class_index), most = hak_exchange_most_room(class_index);
    if (player->room == LADDER_ROOM_LITTLE) {
        return first;
    }
    if (player->room == LADDER_ROOM_WHOLE || grown > most) {
        return most;
    }
    return grown > first ? grown : first;
}

/* Flushes the class, but does not forget what the last refill took: a class that refilled nothing since a flush is given up when its
 * returned magazine is full. */
static void exchange_empty(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    const uint8_t batch = own->batch;
    exchange_hold(thread, class_index);
    hak_exchange_flush_magazines(thread, class_index);
    exchange_let_go(thread, class_index);
    own->batch = batch;
}

/* Flushes what the stash may not have with this player. */
static void exchange_empty_stash(struct hak_thread *thread, unsigned class_index, uint8_t most) {
    exchange_hold(thread, class_index);
    while (thread->classes[class_index].stashed > most) {
        hak_stash_put_back(thread, class_index, hak_exchange_flush_stashed(thread, class_index));
    }
    exchange_let_go(thread, class_index);
}

/* The player whose turn it is gets the magazines as it wants them. */
static void exchange_begin_turn(struct hak_thread *thread, unsigned class_index) {
    const struct ladder_player *player = ladder_player(exchange_learning(thread), class_index);
    const uint32_t grown = ladder_first_learner(exchange_learning(thread), class_index)->room;
    exchange_empty_stash(thread, class_index, player->stash);
    if (!ladder_room_varies()) {
        return;
    }
    const uint32_t room = exchange_room_of(player, class_index, grown), now = exchange_capacity(thread, class_index);
    if (room == 0) {
        return; /* its share has just become none: the next exchange sees to that */
    }
    if (room < now) {
        exchange_empty(thread, class_index);
    }
    if (room != now) {
        hak_exchange_give_room(thread, class_index, room);
        exchange_charge(thread, class_index, LADDER_WORK_MOVE, 1);
    }
}

void hak_exchange_learn(struct hak_thread *thread, unsigned class_index, const void *caller) {
    struct ladder_learning *learning = exchange_learning(thread);
    struct ladder_learner *first = ladder_first_learner(learning, class_index);
    const struct hak_thread_class *own = &thread->classes[class_index];
    const uint32_t loaded = exchange_loaded_level(thread, class_index);
    const uint32_t returned = exchange_returned_level(thread, class_index);
    const uint32_t operations = own->loaded_level - loaded + returned - own->returned_level;
    const size_t magazines = (own->loaded_level + own->returned_level + loaded + returned) / 2u;
    const size_t held = magazines + (size_t)own->stashed * hak_classes[class_index].magazine;
    const bool grew = ladder_player(learning, class_index)->room == LADDER_ROOM_GROWS;
    if (hak_ladder_event(learning, class_index, caller, operations, held * hak_classes[class_index].block_size)) {
        if (grew) {
            first->room = (uint8_t)exchange_capacity(thread, class_index);
        }
        exchange_begin_turn(thread, class_index);
    }
}

#endif
