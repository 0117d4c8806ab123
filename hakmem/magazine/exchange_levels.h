/* SPDX-License-Identifier: MIT */
/* What the files of an exchange share: its write section, the levels of the magazines, and the counting
 * (exchange.h). */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_LEVELS_H
#define HAKMEM_MAGAZINE_EXCHANGE_LEVELS_H

#include "hakmem/ladder/counts.h"
#include "hakmem/magazine/record.h"
#include "hakmem/magazine/sampling_state.h"

/* Opens a write section of the record. Until exchange_leave the sequence is odd, and readers of the thread's counts
 * try again (reading.h). Within, what readers look at is written by release stores, which pair with the acquire loads
 * of hak_reading_class. */
HAK_ALWAYS_INLINE void exchange_open(struct hak_thread *thread) {
    /* Relaxed, then a fence: pairs with the fence of hak_reading_add. A reader that saw any store of this exchange
     * finds the odd sequence in its second look. */
    hak_store_relaxed(&thread->sequence, thread->sequence + 1);
    hak_fence_release();
    DISTURB();
}

/* Opens the write section of an exchange. */
HAK_ALWAYS_INLINE void exchange_enter(struct hak_thread *thread) {
    hak_count_add(&thread->exchanges, 1);
    exchange_open(thread);
}

/* Closes the write section. */
HAK_ALWAYS_INLINE void exchange_leave(struct hak_thread *thread) {
    DISTURB();
    /* Release: pairs with the acquire loads of reading.h. */
    hak_store_release(&thread->sequence, thread->sequence + 1);
}

/* Blocks in the thread's loaded magazine of the class. */
HAK_ALWAYS_INLINE uint32_t exchange_loaded_level(const struct hak_thread *thread, unsigned class_index) {
    const int unused = record_signed(hak_load_relaxed(&thread->classes[class_index].loaded_unused));
    return magazine_level(hak_load_relaxed(&thread->loaded[class_index]), class_index) - (uint32_t)unused;
}

/* Blocks in the thread's returned magazine of the class. */
HAK_ALWAYS_INLINE uint32_t exchange_returned_level(const struct hak_thread *thread, unsigned class_index) {
    return magazine_level(hak_load_relaxed(&thread->returned[class_index]), class_index) -
           hak_load_relaxed(&thread->classes[class_index].unused_slots);
}

/* Blocks that each of the two magazines has room for now. */
HAK_ALWAYS_INLINE uint32_t exchange_capacity(const struct hak_thread *thread, unsigned class_index) {
    return hak_classes[class_index].magazine - hak_load_relaxed(&thread->classes[class_index].unused_slots);
}

/* Whether both magazines of the class lie in the storage of one (record.h). */
HAK_ALWAYS_INLINE bool exchange_is_packed(const struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_class *own = &thread->classes[class_index];
    return hak_load_relaxed(&own->loaded_unused) != hak_load_relaxed(&own->unused_slots);
}

/* Whether exchanges count: the statistics want it, or the profile, which samples by the number of allocations. */
HAK_ALWAYS_INLINE bool exchange_counts(void) { return ladder_counts_exactly() || sampling_is_on(); }

/* Called wherever an allocation or free of the class is counted or its loaded magazine is filled: readers pass over the other
 * classes (reading.h). */
HAK_ALWAYS_INLINE void exchange_note_class(struct hak_thread *thread, unsigned class_index) {
    uint64_t *word = &thread->exchanged[class_index / 64];
    /* Release: pairs with the acquire of hak_reading_add. */
    hak_store_release(word, *word | (uint64_t)1 << class_index % 64);
}

/* Counts what malloc took from the loaded magazine and free stored into the returned one since the last exchange. */
HAK_ALWAYS_INLINE void exchange_count(struct hak_thread *thread, unsigned class_index) {
    if (exchange_counts()) {
        struct hak_thread_class *counts = &thread->classes[class_index];
        const uint32_t taken = counts->loaded_level - exchange_loaded_level(thread, class_index);
        const uint32_t stored = exchange_returned_level(thread, class_index) - counts->returned_level;
        if ((taken | stored) != 0) {
            hak_store_release(&counts->allocations, counts->allocations + taken);
            hak_store_release(&counts->frees, counts->frees + stored);
            exchange_note_class(thread, class_index);
        }
    }
}

/* Notes the levels that the next exchange counts from: the last step of an exchange. */
HAK_ALWAYS_INLINE void exchange_note_levels(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *counts = &thread->classes[class_index];
    hak_store_release(&counts->loaded_level, (uint16_t)exchange_loaded_level(thread, class_index));
    hak_store_release(&counts->returned_level, (uint16_t)exchange_returned_level(thread, class_index));
    counts->is_used = RECORD_USED;
}

/* Whether the block that the calling thread just took from its loaded magazine reads zero. */
HAK_ALWAYS_INLINE bool exchange_is_zeroed(unsigned class_index) {
    return hak_self != NULL && hak_self->classes[class_index].loaded_zeroed;
}

#endif
