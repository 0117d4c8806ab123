/* SPDX-License-Identifier: MIT */
/* How many blocks a magazine has room for. A class gets magazines at its first exchange, and little room; room doubles
 * while the class is hot, so that what a thread holds is bounded by how it allocates and not by how many classes there
 * are.
 *
 * Called by the owning thread, within an exchange unless said otherwise. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_ROOM_H
#define HAKMEM_MAGAZINE_EXCHANGE_ROOM_H

#include "hakmem/ladder/branches.h"
#include "hakmem/magazine/exchange_levels.h"

/* A class's first room: this many bytes of blocks, or this many blocks if that is more. */
#define EXCHANGE_FIRST_ROOM_BYTES 16384u
#define EXCHANGE_FIRST_ROOM_BLOCKS 8u

/* Blocks larger than this stay in no magazine: the program takes longer to write one than the way to the slab takes,
 * and each would hold that much memory. */
#define EXCHANGE_CACHED_MAX_BYTES 262144u

/* A class is hot if at least EXCHANGE_HOT of its thread's last EXCHANGE_HOT_OF exchanges were of the class. */
#define EXCHANGE_HOT 16
#define EXCHANGE_HOT_OF 256u

/* Whether blocks of the class stay in no magazine. Any thread. */
HAK_ALWAYS_INLINE bool exchange_is_uncached(unsigned class_index) {
    return ladder_room_varies() && !HAK_GUARD_EXACT && hak_classes[class_index].block_size > EXCHANGE_CACHED_MAX_BYTES;
}

/* Blocks that a magazine of the class has room for at first. Any thread. */
uint32_t hak_exchange_first_room(unsigned class_index);

/* Counts an exchange of the class; every EXCHANGE_HOT-th time it decides. true: the class is hot; it has twice the room
 * now, up to its whole capacity, and should load more blocks. */
bool hak_exchange_is_hot(struct hak_thread *thread, unsigned class_index);

/* Whether the class has no magazines: its thread has not exchanged it yet. */
HAK_ALWAYS_INLINE bool exchange_is_unfurnished(const struct hak_thread *thread, unsigned class_index) {
    return ladder_room_varies() && exchange_capacity(thread, class_index) == 0;
}

/* Gives the class its first two magazines. pre: it has none, and blocks of it stay in magazines */
HAK_COLD void hak_exchange_furnish(struct hak_thread *thread, unsigned class_index);

/* Takes the magazines of every class away. Also before the thread has the record. pre: they hold no block */
void hak_exchange_unfurnish(struct hak_thread *thread);

/* Moves slots of a magazine down. hak_walk may read them meanwhile. */
void hak_exchange_move_slots(void **to, void *const *from, uint32_t count);

#endif
