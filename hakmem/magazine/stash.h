/* SPDX-License-Identifier: MIT */
/* Full magazines that a thread keeps beside its two: what a burst of frees leaves, for the burst of allocations that
 * follows. A magazine goes in and comes out as a whole, so that no slab is touched and no block is looked at.
 *
 * Called by the exchanges, by the owning thread only. The lists lead through the first slot of each magazine's storage,
 * which no magazine reaches: its capacity leaves that slot and the one of its sentinel free. */
#ifndef HAKMEM_MAGAZINE_STASH_H
#define HAKMEM_MAGAZINE_STASH_H

#include "hakmem/magazine/thread.h"

/* Top of the full magazine that lies in this storage. */
HAK_ALWAYS_INLINE void **stash_full_top(void **storage) { return storage + MAGAZINE_SLOTS; }

/* Base of the magazine of the class in this storage: its top while it is empty. */
HAK_ALWAYS_INLINE void **stash_base(void **storage, unsigned class_index) {
    return storage + MAGAZINE_SLOTS - hak_classes[class_index].magazine;
}

/* Storage of the magazine with this top. */
HAK_ALWAYS_INLINE void **stash_storage(void **top) {
    return (void **)(((uintptr_t)top - 1) & ~(uintptr_t)(MAGAZINE_BYTES - 1));
}

/* Storage for one more magazine of the class, empty; NULL: the stash is full, or the record has no more, or the class is not
 * exchanged often enough to have whole magazines. */
void **hak_stash_make_room(struct hak_thread *thread, unsigned class_index);

/* Puts a full magazine in. pre: hak_stash_make_room gave storage for the one that takes its place */
void hak_stash_put(struct hak_thread *thread, unsigned class_index, void **storage);

/* The youngest full magazine, out of the stash, and `emptied` in its place for later. pre: there is one */
void **hak_stash_take(struct hak_thread *thread, unsigned class_index, void **emptied);

/* The oldest full magazine, out of the stash. pre: there is one */
void **hak_stash_take_oldest(struct hak_thread *thread, unsigned class_index);

/* Storage that hak_stash_take_oldest gave, empty now, kept for later. */
void hak_stash_put_back(struct hak_thread *thread, unsigned class_index, void **storage);

#endif
