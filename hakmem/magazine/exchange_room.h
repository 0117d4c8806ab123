/* SPDX-License-Identifier: MIT */
/* How many blocks a magazine has room for. A class gets magazines at its first exchange, and little room; room doubles
 * while the class is hot, so that what a thread holds is bounded by how it allocates and not by how many classes there
 * are. Where there are many threads a class above tiny gets less, or none (share.h).
 *
 * Called by the owning thread, within an exchange unless said otherwise. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_ROOM_H
#define HAKMEM_MAGAZINE_EXCHANGE_ROOM_H

#include "hakmem/ladder/branches.h"
#include "hakmem/ladder/room.h"
#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/magazine/share.h"

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

/* Whether a magazine of so many blocks of the class is within the share of a thread. Any thread. */
HAK_ALWAYS_INLINE bool exchange_is_in_share(unsigned class_index, uint32_t blocks) {
    return class_index < HAK_L2_CLASS_FIRST ||
           (size_t)blocks * hak_classes[class_index].block_size <= share_magazine_bytes();
}

/* Blocks that a magazine of the class may have room for, and has room for at first: at most the class's magazine has slots. 0: they
 * stay in none. Where another thread begins or ends meanwhile the next call says another number. Any thread. */
uint32_t hak_exchange_most_room(unsigned class_index);
uint32_t hak_exchange_first_room(unsigned class_index);

/* Counts an exchange of the class; every EXCHANGE_HOT-th time it decides. true: the class is hot; it has twice the room
 * now, up to its whole capacity, and should load more blocks. */
bool hak_exchange_is_hot(struct hak_thread *thread, unsigned class_index);

/* Whether the class has no magazines: its thread has not exchanged it yet. */
HAK_ALWAYS_INLINE bool exchange_is_unfurnished(const struct hak_thread *thread, unsigned class_index) {
    return ladder_room_varies() && exchange_capacity(thread, class_index) == 0;
}

/* Gives the class two magazines. false: its blocks are to stay in none. pre: it has none */
HAK_COLD bool hak_exchange_furnish(struct hak_thread *thread, unsigned class_index);

/* Leaves the class's magazines this room, or none. pre: they hold no block, and have more */
HAK_COLD void hak_exchange_shrink(struct hak_thread *thread, unsigned class_index, uint32_t room);

/* Gives the class's magazines this room. pre: it is 1 up to the most that they may have, and they hold no block where it is less than
 * they have. Only with `learn=elo`. */
void hak_exchange_give_room(struct hak_thread *thread, unsigned class_index, uint32_t room);

/* Takes the magazines of every class away. Also before the thread has the record. pre: they hold no block */
void hak_exchange_unfurnish(struct hak_thread *thread);

/* Moves slots of a magazine down. hak_walk may read them meanwhile. */
void hak_exchange_move_slots(void **to, void *const *from, uint32_t count);

#endif
