/* SPDX-License-Identifier: MIT */
/* Moves blocks from magazines back to their slabs. By the owning thread, within an exchange unless said otherwise. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_FLUSH_H
#define HAKMEM_MAGAZINE_EXCHANGE_FLUSH_H

#include "hakmem/magazine/exchange_room.h"

/* Frees blocks of a class into their slabs, whoever owns those. With guard's quarantine they go in there, and the
 * blocks that leave it are freed. */
void hak_exchange_flush_blocks(struct hak_thread *thread, unsigned class_index, void *const *blocks, uint32_t count);

/* Frees the older half of the returned magazine. The younger half is more likely to be in a cache. */
void hak_exchange_flush_oldest(struct hak_thread *thread, unsigned class_index);

/* Frees the blocks of the oldest magazine in the stash. Returns its storage, which is now the caller's. pre: the stash
 * is not empty */
void **hak_exchange_flush_stashed(struct hak_thread *thread, unsigned class_index);

/* Frees all blocks of the class in the thread's magazines and stash. */
void hak_exchange_flush_magazines(struct hak_thread *thread, unsigned class_index);

/* hak_exchange_flush_magazines where the class has more room than its share, which it loses, and gives it magazines where it
 * has none. false: its blocks are to stay in none. pre: nobody holds the class */
HAK_COLD bool hak_exchange_fit(struct hak_thread *thread, unsigned class_index);

/* Whether blocks of the class stay in magazines, which it has then, and no more room in them than its share. */
HAK_ALWAYS_INLINE bool exchange_fit(struct hak_thread *thread, unsigned class_index) {
    const uint32_t room = exchange_capacity(thread, class_index);
    return HAK_LIKELY(room != 0 && exchange_is_in_share(class_index, room)) || !ladder_room_varies() ||
           hak_exchange_fit(thread, class_index);
}

/* Detaches the class's active slabs. */
void hak_exchange_give_up_slabs(struct hak_thread *thread, unsigned class_index);

/* Bytes of L2 and L2.5 blocks in the loaded and returned magazines. */
size_t hak_exchange_bytes_above_tiny(const struct hak_thread *thread);

/* Whether they are more than the thread keeps (share.h). */
bool hak_exchange_keeps_too_much(const struct hak_thread *thread);

/* Flushes L2 and L2.5 classes other than `current` that were not exchanged since the last such flush, if the thread
 * holds more than it keeps: a buffer that grows through many classes leaves a few blocks in each.
 * Classes in use keep their blocks, or they would flush each other in turn. */
void hak_exchange_flush_unused(struct hak_thread *thread, unsigned current);

/* Called before the thread makes a slab. Once it has made many of clean chunks it looks: if much is free in slabs that nobody
 * owns, it flushes the classes other than `current` that were not exchanged since the look before. A few blocks in a magazine may each
 * keep a slab of an earlier phase of the program in use. Without them the slab is free, and its resident chunks serve the growth. */
void hak_exchange_flush_before_growth(struct hak_thread *thread, unsigned current);

/* Flushes the magazines of every class and detaches the active slabs, in an exchange of its own. */
void hak_exchange_flush(struct hak_thread *thread);

/* hak_exchange_flush, and takes the magazines away, so that their storage may be purged (record_list.h). */
void hak_exchange_flush_idle(struct hak_thread *thread);

#endif
