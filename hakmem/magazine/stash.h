/* SPDX-License-Identifier: MIT */
/* The stash: full magazines that a thread keeps besides its two, so that the blocks of a burst of frees serve the burst
 * of allocations that follows. A magazine goes in and out as a whole; no slab and no block is touched.
 *
 * Called by the exchanges, by the owning thread only. The first slot of each magazine's storage links the lists: no
 * magazine uses it, since a capacity leaves that slot and the one of the NULL below the base free. */
#ifndef HAKMEM_MAGAZINE_STASH_H
#define HAKMEM_MAGAZINE_STASH_H

#include "hakmem/magazine/record.h"

/* Top of the full magazine in this storage. */
HAK_ALWAYS_INLINE void **stash_full_top(void **storage) { return storage + MAGAZINE_SLOTS; }

/* Base of the class's magazine in this storage, which is its top while it is empty. */
HAK_ALWAYS_INLINE void **stash_base(void **storage, unsigned class_index) {
    return storage + MAGAZINE_SLOTS - hak_classes[class_index].magazine;
}

/* Storage of the magazine with this top. */
HAK_ALWAYS_INLINE void **stash_storage(void **top) {
    return (void **)(((uintptr_t)top - 1) & ~(uintptr_t)(MAGAZINE_BYTES - 1));
}

/* Storage of an empty magazine of the class. NULL: the stash is full, the record has no more storage, or the class's
 * magazines do not have their whole capacity yet, or no storage of their own each. */
void **hak_stash_make_room(struct hak_thread *thread, unsigned class_index);

/* Puts a full magazine into the stash. pre: hak_stash_make_room gave storage that takes its place */
void hak_stash_put(struct hak_thread *thread, unsigned class_index, void **storage);

/* Takes the youngest full magazine out of the stash and keeps the storage `emptied` for later. pre: the stash is not
 * empty */
void **hak_stash_take(struct hak_thread *thread, unsigned class_index, void **emptied);

/* Takes the oldest full magazine out of the stash. pre: the stash is not empty */
void **hak_stash_take_oldest(struct hak_thread *thread, unsigned class_index);

/* Keeps storage that hak_stash_take_oldest gave, and that is empty now, for later. */
void hak_stash_put_back(struct hak_thread *thread, unsigned class_index, void **storage);

#endif
