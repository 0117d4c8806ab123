/* SPDX-License-Identifier: MIT */
/* Blocks out of magazines, back to their slabs; by the owning thread, within an exchange but where it says otherwise. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_FLUSH_H
#define HAKMEM_MAGAZINE_EXCHANGE_FLUSH_H

#include "hakmem/magazine/thread.h"

/* Frees blocks of a class, whoever owns their slabs; with the quarantine, those that leave it for them. */
void hak_exchange_flush_blocks(struct hak_thread *thread, unsigned class_index, void *const *blocks, uint32_t count);

/* Frees the oldest half of the returned magazine; what is younger is more likely still in a cache. */
void hak_exchange_flush_oldest(struct hak_thread *thread, unsigned class_index);

/* Frees the oldest full magazine of the stash. Result: its storage, which is the caller's. pre: there is one */
void **hak_exchange_flush_stashed(struct hak_thread *thread, unsigned class_index);

/* Frees all that the thread holds of the class in magazines. */
void hak_exchange_flush_magazines(struct hak_thread *thread, unsigned class_index);

/* The class has no active slabs afterwards. */
void hak_exchange_give_up_slabs(struct hak_thread_class *own);

/* Bytes in the magazines of the classes above tiny. */
size_t hak_exchange_large_bytes(const struct hak_thread *thread);

/* Keeps the bytes in a thread's large magazines within bounds: what a class was used for once, by a buffer that grew
 * through it say, goes back. Classes in use stay, or each would empty the others' magazines in turn. */
void hak_exchange_flush_unused(struct hak_thread *thread, unsigned current);

/* An exchange of its own: empties the magazines of every class and gives up the active slabs. */
void hak_exchange_flush(struct hak_thread *thread);

#endif
