/* SPDX-License-Identifier: MIT */
/* See exchange_grow.h. */
#include "hakmem/magazine/exchange_grow.h"

#include <string.h>

#include "hakmem/magazine/exchange.h"

/* Relaxed, as every store to a slot. What moves are whole words at their own alignment, so memmove does it, which is a plain
 * store to ThreadSanitizer only. */
void hak_exchange_move_slots(void **to, void *const *from, uint32_t count) {
    if (!HAK_THREAD_SANITIZER) {
        memmove(to, from, count * sizeof *to);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        hak_store_relaxed(&to[i], from[i]);
    }
}

/* Moves a magazine down by `shift` slots, into those that were not in use yet. Result: its top */
static void **exchange_move_down(void **top, uint32_t level, uint32_t shift) {
    void **base = top - level - shift;
    hak_exchange_move_slots(base, top - level, level);
    /* A thread that had the record before may have used this slot. Relaxed: hak_walk may look at it. */
    hak_store_relaxed(&base[-1], NULL);
    return base + level;
}

/* Twice the room for both magazines. */
static void exchange_grow(struct hak_thread *thread, unsigned class_index) {
    const uint32_t floor = thread->classes[class_index].floor;
    const uint32_t capacity = exchange_capacity(thread, class_index);
    const uint32_t shift = capacity < floor ? capacity : floor;
    void **loaded = exchange_move_down(hak_load_relaxed(&thread->loaded[class_index]),
                                       exchange_loaded_level(thread, class_index), shift);
    void **returned = exchange_move_down(hak_load_relaxed(&thread->returned[class_index]),
                                         exchange_returned_level(thread, class_index), shift);
    /* Release, all: behind the odd sequence. */
    hak_store_release(&thread->loaded[class_index], loaded);
    hak_store_release(&thread->returned[class_index], returned);
    hak_store_release(&thread->classes[class_index].floor, (uint8_t)(floor - shift));
}

bool hak_exchange_note_turn(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    if (++own->turns < EXCHANGE_TURNS) {
        return false;
    }
    const bool often = (uint16_t)(thread->exchanges - own->since) <= EXCHANGE_TURNS_AMONG;
    own->turns = 0;
    own->since = (uint16_t)thread->exchanges;
    if (often && own->floor > 0) {
        exchange_grow(thread, class_index);
    }
    return often;
}
