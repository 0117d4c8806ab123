/* Exchanges: the loaded magazine swapped or refilled, the returned one emptied, and everything counted.
 *
 * The slow path of every slab pool, and the only place that changes a magazine but for one block at its
 * top. Called by the pools and by front; by the owning thread only. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_H
#define HAKMEM_MAGAZINE_EXCHANGE_H

#include "hakmem/magazine/thread.h"

/* A block of the class where the loaded magazine is empty, the thread may not have begun or may have ended.
 * NULL: no memory */
HAK_COLD void *exchange_alloc(unsigned class_index);

/* Takes p back where the returned magazine is full, or the thread has not begun or has ended. */
HAK_COLD void exchange_free(unsigned class_index, void *p);

/* Takes p back at once, without a magazine: what builds without P3 do with blocks of other owners. */
HAK_COLD void exchange_free_remote(unsigned class_index, void *p);

/* Empties both magazines of every class and gives up the active slabs. */
void exchange_flush(struct hak_thread *thread);

/* Gets blocks into the loaded magazine, which is empty. false: no memory, nothing changed */
bool exchange_load(struct hak_thread *thread, unsigned class_index);

/* Statistics readers see an odd sequence and try again while a bin and its levels disagree. */
HAK_ALWAYS_INLINE void exchange_enter(struct hak_thread *thread) {
    hak_count_add(&thread->exchanges, 1);
    /* Relaxed: what follows is stored with release, hence after it. */
    hak_store_relaxed(&thread->sequence, thread->sequence + 1);
}

HAK_ALWAYS_INLINE void exchange_leave(struct hak_thread *thread) {
    /* Release: pairs with the acquire loads of thread_class_totals. */
    hak_store_release(&thread->sequence, thread->sequence + 1);
}

/* Blocks in a thread's two magazines of a class. */
HAK_ALWAYS_INLINE uint32_t exchange_loaded_level(const struct hak_thread *thread, unsigned class_index) {
    return magazine_level(hak_load_relaxed(&thread->loaded[class_index]), class_index);
}

HAK_ALWAYS_INLINE uint32_t exchange_returned_level(const struct hak_thread *thread, unsigned class_index) {
    return magazine_level(hak_load_relaxed(&thread->returned[class_index]), class_index);
}

/* Counts what left the loaded and entered the returned magazine since the last exchange (switch P1). */
HAK_ALWAYS_INLINE void exchange_count(struct hak_thread *thread, unsigned class_index) {
    if (HAK_P1_BATCHED_STATS) {
        struct hak_thread_class *counts = &thread->classes[class_index];
        /* Release: behind the odd sequence. The owner alone writes. */
        hak_store_release(&counts->allocations,
                          counts->allocations + (counts->loaded_level - exchange_loaded_level(thread, class_index)));
        hak_store_release(&counts->frees,
                          counts->frees + (exchange_returned_level(thread, class_index) - counts->returned_level));
    }
}

/* Bytes in the magazines of a thread's classes above tiny from which on those that it no longer uses are emptied. */
#define EXCHANGE_LARGE_BYTES ((size_t)1 << 20)

/* Bytes of the first blocks that a thread loads of a class: one page, which is the least that is touched anyhow. */
#define EXCHANGE_FIRST_BYTES 4096u

/* Notes the levels that the next exchange counts from. */
HAK_ALWAYS_INLINE void exchange_note_levels(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *counts = &thread->classes[class_index];
    hak_store_release(&counts->loaded_level, exchange_loaded_level(thread, class_index));
    hak_store_release(&counts->returned_level, exchange_returned_level(thread, class_index));
    counts->recent = true;
}

/* The slow path itself, for exchange_alloc and for the functions of builds without P2, which hold fast and
 * slow path in one. pre: the thread has begun and its loaded magazine of the class is empty */
HAK_ALWAYS_INLINE void *exchange_alloc_begun(struct hak_thread *thread, unsigned class_index) {
    exchange_enter(thread);
    exchange_count(thread, class_index);
    const bool loaded = exchange_load(thread, class_index);
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
    return loaded ? magazine_pop(class_index) : NULL;
}

/* Whether a block that the calling thread just took from its loaded magazine reads zero. */
HAK_ALWAYS_INLINE bool exchange_is_zeroed(unsigned class_index) {
    return hak_self != NULL && hak_self->classes[class_index].loaded_zeroed;
}

#endif
