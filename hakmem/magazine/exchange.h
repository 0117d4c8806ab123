/* SPDX-License-Identifier: MIT */
/* Exchanges: the loaded magazine swapped or refilled, the returned one emptied, and everything counted.
 *
 * The slow path of every slab pool, and the only place that changes a magazine but for one block at its
 * top. Called by the pools and by front; by the owning thread only. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_H
#define HAKMEM_MAGAZINE_EXCHANGE_H

#include "hakmem/guard/guard.h"
#include "hakmem/ladder/counts.h"
#include "hakmem/magazine/exchange_check.h"
#include "hakmem/magazine/exchange_flush.h"
#include "hakmem/magazine/exchange_load.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/profile/profile.h"

/* A block of the class for a thread that may not have begun, or may have ended. NULL: no memory */
HAK_COLD void *hak_exchange_alloc(unsigned class_index);

/* Takes p back for a thread that may not have begun, or may have ended. */
HAK_COLD void hak_exchange_free(unsigned class_index, void *p);

/* Takes p back where the thread has begun and its returned magazine is full. */
void hak_exchange_free_begun(struct hak_thread *thread, unsigned class_index, void *p);

/* Takes p back at once, without a magazine: what builds without P3 do with blocks of other owners. */
HAK_COLD void hak_exchange_free_remote(unsigned class_index, void *p);

/* Statistics readers see an odd sequence and try again while a bin and its levels disagree. */
HAK_ALWAYS_INLINE void exchange_enter(struct hak_thread *thread) {
    hak_count_add(&thread->exchanges, 1);
    /* Relaxed, with a fence behind it: pairs with the one of hak_reading_moves. Who saw any store of this exchange, to tops and counts,
     * to slots, to bits of slabs, sees the odd sequence in its second look. */
    hak_store_relaxed(&thread->sequence, thread->sequence + 1);
    hak_fence_release();
}

HAK_ALWAYS_INLINE void exchange_leave(struct hak_thread *thread) {
    /* Release: pairs with the acquire loads of reading.h. */
    hak_store_release(&thread->sequence, thread->sequence + 1);
}

/* Blocks in a thread's two magazines of a class. */
HAK_ALWAYS_INLINE uint32_t exchange_loaded_level(const struct hak_thread *thread, unsigned class_index) {
    return magazine_level(hak_load_relaxed(&thread->loaded[class_index]), class_index) -
           hak_load_relaxed(&thread->classes[class_index].floor);
}

HAK_ALWAYS_INLINE uint32_t exchange_returned_level(const struct hak_thread *thread, unsigned class_index) {
    return magazine_level(hak_load_relaxed(&thread->returned[class_index]), class_index) -
           hak_load_relaxed(&thread->classes[class_index].floor);
}

/* Blocks that each of the two magazines has room for now. */
HAK_ALWAYS_INLINE uint32_t exchange_capacity(const struct hak_thread *thread, unsigned class_index) {
    return hak_classes[class_index].magazine - hak_load_relaxed(&thread->classes[class_index].floor);
}

/* Whether exchanges count. */
HAK_ALWAYS_INLINE bool exchange_counts(void) { return ladder_counts_exactly() || profile_is_on(); }

/* Counts what left the loaded and entered the returned magazine since the last exchange. */
HAK_ALWAYS_INLINE void exchange_count(struct hak_thread *thread, unsigned class_index) {
    if (exchange_counts()) {
        struct hak_thread_class *counts = &thread->classes[class_index];
        /* Release: behind the odd sequence. The owner alone writes. */
        hak_store_release(&counts->allocations,
                          counts->allocations + (counts->loaded_level - exchange_loaded_level(thread, class_index)));
        hak_store_release(&counts->frees,
                          counts->frees + (exchange_returned_level(thread, class_index) - counts->returned_level));
    }
}

/* Bytes in the magazines of a thread's classes above tiny from which on those that it no longer uses are emptied. */
#define EXCHANGE_LARGE_BYTES ((size_t)256 << 10)

/* A class is exchanged often where so many exchanges are its own among so many of its thread. */
#define EXCHANGE_TURNS 16
#define EXCHANGE_TURNS_AMONG 256u

/* Notes the levels that the next exchange counts from. */
HAK_ALWAYS_INLINE void exchange_note_levels(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *counts = &thread->classes[class_index];
    hak_store_release(&counts->loaded_level, (uint16_t)exchange_loaded_level(thread, class_index));
    hak_store_release(&counts->returned_level, (uint16_t)exchange_returned_level(thread, class_index));
    counts->recent = true;
}

/* Fewer blocks than this in the returned magazine are not worth a swap: they would be gone at once, and the next exchange
 * due. */
HAK_ALWAYS_INLINE uint32_t exchange_swap_least(const struct hak_thread *thread, unsigned class_index) {
    return exchange_capacity(thread, class_index) / 8 + 1;
}

/* Ends exchange_swap_in where something was wrong with what came back, and the policy is to go on: false. */
HAK_COLD bool hak_exchange_swap_in_rest(struct hak_thread *thread, unsigned class_index);

/* The commonest exchange: nothing is left in the calling thread's loaded magazine, and what came back takes its place.
 * false: hardly any came back, or it is time to look whether the class wants more; nothing changed.
 * pre: the loaded magazine is empty; in builds with guard, the shadow is of the flat form */
HAK_ALWAYS_INLINE bool exchange_swap_in(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    void **const empty = hak_loaded[class_index], **const top = hak_returned[class_index];
    const uint32_t level = magazine_level(top, class_index) - own->floor;
    if (level < exchange_swap_least(thread, class_index) || HAK_UNLIKELY(own->turns + 1 >= EXCHANGE_TURNS)) {
        return false;
    }
    own->turns++;
    exchange_enter(thread);
    /* Release, all: behind the odd sequence. */
    if (exchange_counts()) {
        hak_store_release(&own->allocations, own->allocations + own->loaded_level);
        hak_store_release(&own->frees, own->frees + (level - own->returned_level));
    }
    if (!HAK_GUARD_EXACT) {
        hak_exchange_check_returned(thread, class_index);
        if (HAK_UNLIKELY(hak_returned[class_index] != top)) {
            return hak_exchange_swap_in_rest(thread, class_index);
        }
    }
    hak_store_release(&hak_loaded[class_index], top);
    hak_store_release(&hak_returned[class_index], empty);
    hak_store_release(&own->loaded_level, (uint16_t)level);
    hak_store_release(&own->returned_level, (uint16_t)0);
    own->loaded_zeroed = false;
    own->recent = true;
    own->overflows = 0;
    exchange_leave(thread);
    return true;
}

/* Whether blocks of the class stay in no magazine. */
HAK_ALWAYS_INLINE bool exchange_is_alone(unsigned class_index) {
    return ladder_room_varies() && !HAK_GUARD_EXACT && hak_classes[class_index].block_size > THREAD_CACHED_MAX_BYTES;
}

/* A block of such a class, out of a slab of its own that nobody owns, so that it goes back to the regions whoever frees it.
 * NULL: no memory */
HAK_COLD void *hak_exchange_alloc_alone(struct hak_thread *thread, unsigned class_index);

/* exchange_alloc_begun in builds with guard where the shadow is of the limited form: the loaded magazine may have blocks. */
HAK_COLD void *hak_exchange_alloc_limited(struct hak_thread *thread, unsigned class_index);

/* The slow path itself, for the pools and for the functions of builds without P2, which hold fast and slow path in one.
 * NULL: no memory. pre: the thread has begun and its loaded magazine of the class is empty, or the shadow of a build with guard
 * is of the limited form */
HAK_ALWAYS_INLINE void *exchange_alloc_begun(struct hak_thread *thread, unsigned class_index) {
    if (class_index >= HAK_L25_CLASS_FIRST && exchange_is_alone(class_index)) {
        return hak_exchange_alloc_alone(thread, class_index);
    }
    if (HAK_GUARD_EXACT && HAK_UNLIKELY(hak_load_setting(&hak_shadow.limit) == 0)) {
        return hak_exchange_alloc_limited(thread, class_index);
    }
    if (!guard_has(HAK_FEATURE_QUARANTINE) && HAK_LIKELY(exchange_swap_in(thread, class_index))) {
        return magazine_take(class_index);
    }
    return hak_exchange_load(thread, class_index) ? magazine_take(class_index) : NULL;
}

/* Whether a block that the calling thread just took from its loaded magazine reads zero. */
HAK_ALWAYS_INLINE bool exchange_is_zeroed(unsigned class_index) {
    return hak_self != NULL && hak_self->classes[class_index].loaded_zeroed;
}

#endif
