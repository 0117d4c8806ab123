/* SPDX-License-Identifier: MIT */
/* See exchange_room.h. */
#include "hakmem/magazine/exchange_room.h"

#include <string.h>

uint32_t hak_exchange_first_room(unsigned class_index) {
    const uint32_t capacity = hak_classes[class_index].magazine;
    if (exchange_is_uncached(class_index)) {
        return 0;
    }
    uint32_t blocks = EXCHANGE_FIRST_ROOM_BYTES / hak_classes[class_index].block_size;
    blocks = blocks > EXCHANGE_FIRST_ROOM_BLOCKS ? blocks : EXCHANGE_FIRST_ROOM_BLOCKS;
    return ladder_room_varies() && blocks < capacity ? blocks : capacity;
}

void hak_exchange_furnish(struct hak_thread *thread, unsigned class_index) {
    const uint32_t room = hak_exchange_first_room(class_index);
    void **loaded = record_new_magazine(thread, room), **returned = record_new_magazine(thread, room);
    hak_store_release(&thread->loaded[class_index], loaded);
    hak_store_release(&thread->returned[class_index], returned);
    hak_store_release(&thread->classes[class_index].unused_slots, (uint8_t)(hak_classes[class_index].magazine - room));
}

void hak_exchange_unfurnish(struct hak_thread *thread) {
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        hak_store_release(&thread->loaded[class_index], RECORD_NO_ROOM);
        hak_store_release(&thread->returned[class_index], RECORD_NO_ROOM);
        hak_store_release(&thread->classes[class_index].unused_slots, (uint8_t)hak_classes[class_index].magazine);
    }
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT && thread->spares_used > 0; class_index++) {
        hak_store_relaxed(&thread->stashes[class_index].full, (void **)NULL); /* hak_walk may read it */
        thread->stashes[class_index].emptied = NULL;
    }
    thread->spares_used = 0;
    if (thread->magazines_touched < thread->magazines_used) {
        thread->magazines_touched = thread->magazines_used;
    }
    thread->magazines_used = 0;
}

/* Every store to a slot is relaxed. memmove moves aligned words whole, which is as good; ThreadSanitizer takes it for
 * plain stores. */
void hak_exchange_move_slots(void **to, void *const *from, uint32_t count) {
    if (!HAK_THREAD_SANITIZER) {
        memmove(to, from, count * sizeof *to);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        hak_store_relaxed(&to[i], from[i]);
    }
}

/* Moves a magazine down by `shift` of its unused slots. Returns its top. */
static void **exchange_move_down(void **top, uint32_t level, uint32_t shift) {
    void **base = top - level - shift;
    hak_exchange_move_slots(base, top - level, level);
    /* The thread that had the record before may have used this slot. Relaxed: hak_walk may read it. */
    hak_store_relaxed(&base[-1], NULL);
    return base + level;
}

/* Doubles the room of both magazines, up to the class's whole capacity. */
static void exchange_grow(struct hak_thread *thread, unsigned class_index) {
    const uint32_t unused = thread->classes[class_index].unused_slots;
    const uint32_t capacity = exchange_capacity(thread, class_index);
    const uint32_t shift = capacity < unused ? capacity : unused;
    void **loaded = exchange_move_down(hak_load_relaxed(&thread->loaded[class_index]),
                                       exchange_loaded_level(thread, class_index), shift);
    void **returned = exchange_move_down(hak_load_relaxed(&thread->returned[class_index]),
                                         exchange_returned_level(thread, class_index), shift);
    hak_store_release(&thread->loaded[class_index], loaded);
    hak_store_release(&thread->returned[class_index], returned);
    hak_store_release(&thread->classes[class_index].unused_slots, (uint8_t)(unused - shift));
}

bool hak_exchange_is_hot(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    if (++own->recent_exchanges < EXCHANGE_HOT) {
        return false;
    }
    const bool is_hot = (uint16_t)(thread->exchanges - own->counted_from) <= EXCHANGE_HOT_OF;
    own->recent_exchanges = 0;
    own->counted_from = (uint16_t)thread->exchanges;
    if (is_hot && own->unused_slots > 0) {
        exchange_grow(thread, class_index);
    }
    return is_hot;
}
