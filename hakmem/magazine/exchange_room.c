/* SPDX-License-Identifier: MIT */
/* See exchange_room.h. */
#include "hakmem/magazine/exchange_room.h"

#include <string.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/magazine/learning.h"

uint32_t hak_exchange_most_room(unsigned class_index) {
    const struct hak_class *class = &hak_classes[class_index];
    if (exchange_is_uncached(class_index)) {
        return 0;
    }
    if (!ladder_room_varies() || class_index < HAK_L2_CLASS_FIRST) {
        return class->magazine;
    }
    const uint32_t blocks = hak_share_blocks(class->block_size, class->magazine);
    /* In guard builds every block passes through a magazine. */
    return HAK_GUARD_EXACT && blocks == 0 ? 1 : blocks;
}

uint32_t hak_exchange_first_room(unsigned class_index) {
    const uint32_t most = hak_exchange_most_room(class_index);
    uint32_t blocks = EXCHANGE_FIRST_ROOM_BYTES / hak_classes[class_index].block_size;
    blocks = blocks > EXCHANGE_FIRST_ROOM_BLOCKS ? blocks : EXCHANGE_FIRST_ROOM_BLOCKS;
    return ladder_room_varies() && !ladder_room_is_whole() && blocks < most ? blocks : most;
}

/* Notes the room of the class's magazines. */
static void exchange_store_unused(struct hak_thread *thread, unsigned class_index, uint32_t room, bool is_packed) {
    HAK_ASSERT(room <= hak_classes[class_index].magazine);
    const int unused = (int)(hak_classes[class_index].magazine - room);
    hak_store_release(&thread->classes[class_index].unused_slots, (uint8_t)unused);
    hak_store_release(&thread->classes[class_index].loaded_unused,
                      (uint8_t)(is_packed ? unused - RECORD_HALF_SLOTS : unused));
}

void hak_exchange_unfurnish(struct hak_thread *thread) {
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        hak_store_release(&thread->loaded[class_index], RECORD_NO_ROOM);
        hak_store_release(&thread->returned[class_index], RECORD_NO_ROOM);
        exchange_store_unused(thread, class_index, 0, false);
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

/* Moves a magazine of `level` blocks to where it ends at `end` and has room for `room`. Returns its top. */
static void **exchange_move(void **top, uint32_t level, void **end, uint32_t room) {
    void **base = end - room;
    hak_exchange_move_slots(base, top - level, level);
    /* The thread that had the record before may have used this slot. Relaxed: hak_walk may read it. */
    hak_store_relaxed(&base[-1], NULL);
    return base + level;
}

/* The tops first: a reader that finds the room of later finds them too, and with the room of before it reads no slot that
 * is not of this storage (reading.h). */
static void exchange_store_room(struct hak_thread *thread, unsigned class_index, void **loaded, void **returned,
                                uint32_t room, bool is_packed) {
    hak_store_release(&thread->loaded[class_index], loaded);
    hak_store_release(&thread->returned[class_index], returned);
    exchange_store_unused(thread, class_index, room, is_packed);
}

/* Changes the room of both magazines. Where `unpacks` and the class is packed the loaded one gets storage of its own. */
static void exchange_set_room(struct hak_thread *thread, unsigned class_index, uint32_t room, bool unpacks) {
    const uint32_t capacity = exchange_capacity(thread, class_index);
    const uint32_t loaded_level = exchange_loaded_level(thread, class_index);
    const uint32_t returned_level = exchange_returned_level(thread, class_index);
    void **loaded = hak_load_relaxed(&thread->loaded[class_index]);
    void **returned = hak_load_relaxed(&thread->returned[class_index]);
    void **end = loaded - loaded_level + capacity;
    const bool was_packed = exchange_is_packed(thread, class_index), is_packed = was_packed && !unpacks;
    if (was_packed && unpacks) {
        end = record_new_magazine(thread, room) + room;
    }
    loaded = exchange_move(loaded, loaded_level, end, room);
    returned = exchange_move(returned, returned_level, returned - returned_level + capacity, room);
    exchange_store_room(thread, class_index, loaded, returned, room, is_packed);
}

bool hak_exchange_furnish(struct hak_thread *thread, unsigned class_index) {
    const uint32_t room = hak_exchange_first_room(class_index);
    if (room == 0) {
        return false;
    }
    if (hak_load_relaxed(&thread->loaded[class_index]) != RECORD_NO_ROOM) {
        exchange_set_room(thread, class_index, room, room > RECORD_PACKED_MOST); /* it had magazines before */
        return true;
    }
    void **returned = record_new_magazine(thread, room);
    const bool is_packed = ladder_room_varies() && room <= RECORD_PACKED_MOST;
    void **loaded = is_packed ? record_pack(returned) : record_new_magazine(thread, room);
    exchange_store_room(thread, class_index, loaded, returned, room, is_packed);
    return true;
}

void hak_exchange_shrink(struct hak_thread *thread, unsigned class_index, uint32_t room) {
    HAK_ASSERT(room < exchange_capacity(thread, class_index));
    exchange_set_room(thread, class_index, room, false);
}

#if HAK_LEARN
void hak_exchange_give_room(struct hak_thread *thread, unsigned class_index, uint32_t room) {
    exchange_set_room(thread, class_index, room, room > exchange_capacity(thread, class_index));
}
#endif

/* Doubles the room of both magazines, up to the most that the class may have. A class that is worth this is worth storage
 * for each of them, so that a swap need not copy. */
static void exchange_grow(struct hak_thread *thread, unsigned class_index) {
    const uint32_t capacity = exchange_capacity(thread, class_index), most = hak_exchange_most_room(class_index);
    const uint32_t room = 2 * capacity < most ? 2 * capacity : most;
    if (room > capacity) {
        exchange_set_room(thread, class_index, room, true);
    }
}

bool hak_exchange_is_hot(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    uint8_t *const recent_exchanges = ladder_recent_exchanges(&own->recent_exchanges);
    uint16_t *const counted_from = ladder_counted_from(&own->counted_from);
    if (++*recent_exchanges < EXCHANGE_HOT) {
        return false;
    }
    const bool is_hot = (uint16_t)(thread->exchanges - *counted_from) <= EXCHANGE_HOT_OF;
    *recent_exchanges = 0;
    *counted_from = (uint16_t)thread->exchanges;
    if (is_hot && own->unused_slots > 0 && exchange_may_grow(thread, class_index)) {
        exchange_grow(thread, class_index);
    }
    return is_hot;
}
