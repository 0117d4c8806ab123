/* The hot half of magazines: take a block from the loaded one, put a block into the returned one.
 *
 *     loaded_base                loaded_top          returned_base            returned_top   returned_end
 *          v                         v                     v                       v              v
 *     NULL b  b  b  b  b  b  b  b  b                 NULL  f  f  f  f  f  f  f  f
 *          <- taken from the right ->                      <- filled to the right ->
 *
 * Below every magazine lies a NULL: reading loaded_top[-1] of an empty one gives NULL, which is also what
 * the magazine of class 0, of a thread that has not begun and of one that has ended gives. For these three
 * returned_top == returned_end as well, so one test covers all reasons for the slow path (switch P3).
 *
 * Blocks leave the loaded magazine only by malloc and enter the returned one only by free: the exchange
 * counts both from the levels, exactly, and nothing is counted here (switch P1).
 *
 * Bins are written by their thread only. Other threads read the tops for statistics. */
#ifndef HAKMEM_MAGAZINE_MAGAZINE_FAST_H
#define HAKMEM_MAGAZINE_MAGAZINE_FAST_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/flags/flags.h"
#include "hakmem/size_class/size_class.h"

struct hak_bin {
    void **loaded_top;   /* atomic; next block is loaded_top[-1] */
    void **returned_top; /* atomic; next free slot */
    void **returned_end; /* owner; returned_base == returned_end - capacity */
    void **loaded_base;  /* atomic */
};

HAK_STATIC_ASSERT(sizeof(struct hak_bin) == 4 * sizeof(void *), "a bin's address is one shift away");

struct hak_thread;

extern HAK_THREAD_LOCAL struct hak_bin hak_bins[HAK_CLASS_COUNT];

/* The calling thread's record; NULL before its first allocation and after its end. */
extern HAK_THREAD_LOCAL struct hak_thread *hak_self;

/* A block of the class, or NULL: exchange. */
HAK_ALWAYS_INLINE void *magazine_pop(unsigned class_index) {
    struct hak_bin *bin = &hak_bins[class_index];
    /* Owned, here and below: only this thread writes; a reader of statistics wants no order. */
    void **top = hak_load_owned(&bin->loaded_top);
    if (!HAK_P3_SENTINELS) {
        const bool thread_begun = hak_self != NULL;
        if (HAK_UNLIKELY(!thread_begun)) {
            return NULL;
        }
        const bool empty = top == hak_load_owned(&bin->loaded_base);
        if (HAK_UNLIKELY(empty)) {
            return NULL;
        }
    }
    void *p = top[-1];
    if (HAK_P3_SENTINELS && HAK_UNLIKELY(p == NULL)) {
        return NULL;
    }
    if (!HAK_P3_SENTINELS && p == NULL) {
        __builtin_unreachable(); /* or the callers' own test would be one branch more than the switch is about */
    }
    hak_store_owned(&bin->loaded_top, top - 1);
    return p;
}

/* false: the returned magazine is full; exchange. */
HAK_ALWAYS_INLINE bool magazine_push(unsigned class_index, void *p) {
    struct hak_bin *bin = &hak_bins[class_index];
    void **top = hak_load_owned(&bin->returned_top);
    if (HAK_UNLIKELY(top == bin->returned_end)) {
        return false;
    }
    *top = p;
    hak_store_owned(&bin->returned_top, top + 1);
    return true;
}

#endif
