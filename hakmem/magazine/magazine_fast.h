/* SPDX-License-Identifier: MIT */
/* The hot half of magazines: take a block from the loaded one, put a block into the returned one.
 *
 * A magazine is the end of a block of MAGAZINE_SLOTS slots that lies at a multiple of its own size:
 *
 *     multiple of MAGAZINE_BYTES                        multiple of MAGAZINE_BYTES
 *          v                                                       v
 *          :     ...       NULL b  b  b  b  b  b                   :
 *                               ^                 ^                ^
 *                             base               top              end
 *                               |<--------- capacity ------------->|
 *
 * So one pointer a magazine is all its state: it is full where the low bits of `top` are 0, and
 * end == top rounded up, base == end - capacity, level == top - base.
 *
 * malloc takes top[-1] of the loaded magazine. Below every magazine lies a NULL, which an empty one gives, and
 * which that of class 0, of a thread that has not begun and of one that has ended gives as well. free stores at
 * the top of the returned magazine; these three have a full one. So one test covers all reasons for the slow
 * path (switch P3).
 *
 * Blocks leave the loaded magazine only by malloc and enter the returned one only by free: the exchange
 * counts both from the levels, exactly, and nothing is counted here (switch P1).
 *
 * Two arrays of pointers and not one of pairs: the processor scales an index by 8 for nothing, and thread-local
 * bytes are few (a library that is loaded late has to do with some 1,700 bytes for all its like).
 *
 * The tops are written by their thread only. Other threads read them for statistics. */
#ifndef HAKMEM_MAGAZINE_MAGAZINE_FAST_H
#define HAKMEM_MAGAZINE_MAGAZINE_FAST_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/flags/guard.h"
#include "hakmem/ladder/branches.h"
#include "hakmem/ladder/paths.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/size_class/size_class.h"

#define MAGAZINE_SLOTS 128
#define MAGAZINE_BYTES (MAGAZINE_SLOTS * sizeof(void *))

/* A slot below the magazine stays NULL. */
#define MAGAZINE_FITS(class_index, size, blocks, chunks, words, reciprocal, capacity) \
    HAK_STATIC_ASSERT((capacity) < MAGAZINE_SLOTS, "magazine of class " #class_index);
HAK_ALL_CLASSES(MAGAZINE_FITS)
#undef MAGAZINE_FITS

/* Tops of the calling thread's magazines, by class. Atomic. */
extern HAK_THREAD_LOCAL void **hak_loaded[HAK_CLASS_COUNT];
extern HAK_THREAD_LOCAL void **hak_returned[HAK_CLASS_COUNT];

struct hak_thread;

/* The calling thread's record; NULL before its first allocation and after its end. */
extern HAK_THREAD_LOCAL struct hak_thread *hak_self;

/* Blocks in the magazine of the class with this top. */
HAK_ALWAYS_INLINE uint32_t magazine_level(void *const *top, unsigned class_index) {
    const uintptr_t end = ((uintptr_t)top + MAGAZINE_BYTES - 1) & ~(MAGAZINE_BYTES - 1);
    return hak_classes[class_index].magazine - (uint32_t)((end - (uintptr_t)top) / sizeof *top);
}

/* Whether the magazine with this top, which has its class's whole room, holds no block. */
HAK_ALWAYS_INLINE bool magazine_is_empty(void *const *top, unsigned class_index) {
    return (uintptr_t)top % MAGAZINE_BYTES / sizeof *top + hak_classes[class_index].magazine == MAGAZINE_SLOTS;
}

/* Both forms of pop. `marks`: constant; the block is marked as live.
 *
 * The top is lowered first, and in push the mark is cleared first: the child of a fork that falls in between has lost a
 * block, but none is live that a magazine or a slab holds. */
HAK_FAST_PATH void *magazine_pop_and_mark(unsigned class_index, bool marks) {
    /* Owned, here and below: only this thread writes. A pop stores nothing else, so a reader of statistics wants no order. */
    void **top = hak_load_owned(&hak_loaded[class_index]);
    if (ladder_refuses_pop(hak_self, top, magazine_is_empty(top, class_index), marks ? &hak_shadow.limit : NULL)) {
        return NULL;
    }
    void *p = top[-1];
    if (marks) {
        HAK_IN_RETURN_REGISTER(p);
    }
    if (HAK_UNLIKELY(p == NULL)) {
        return NULL;
    }
    hak_move_owned(&hak_loaded[class_index], -1);
    if (marks) {
        uint8_t *entry = &hak_shadow.classes[(uintptr_t)p >> SHADOW_SHIFT];
        HAK_IN_REGISTER(entry);
        hak_store_relaxed(entry, (uint8_t)class_index); /* Relaxed: see shadow.h. */
    }
    return p;
}

/* A block of the class, or NULL: exchange. With guard it is live, and NULL is for the limited form of the shadow too:
 * hak_loaded has nothing then (thread.h). */
HAK_FAST_PATH void *magazine_pop(unsigned class_index) { return magazine_pop_and_mark(class_index, HAK_GUARD_EXACT); }

/* Whether a push would find no room. */
HAK_FAST_PATH bool magazine_is_full(unsigned class_index) {
    return (uintptr_t)hak_load_owned(&hak_returned[class_index]) % MAGAZINE_BYTES == 0;
}

/* Both forms of push. `clears`: constant; p's entry of the shadow, `live`, is cleared where p is taken. */
HAK_FAST_PATH bool magazine_push_and_clear(unsigned class_index, void *p, bool clears, uint8_t *live) {
    void **top = hak_load_owned(&hak_returned[class_index]);
    if (HAK_UNLIKELY((uintptr_t)top % MAGAZINE_BYTES == 0)) {
        return false;
    }
    if (clears) {
        hak_store_relaxed(live, (uint8_t)0); /* Relaxed: see shadow.h. */
    }
    hak_store_owned(top, p);
    /* Release: pairs with the acquire loads of hak_walk, which looks into magazines of others: where it finds the slot below the
     * top it finds p there. The barrier that it would need instead, of all threads at once, the system may refuse. */
    hak_move_owned_release(&hak_returned[class_index], top, 1);
    return true;
}

/* false: the returned magazine is full; exchange. pre: with guard, p's entry of the shadow is clear */
HAK_FAST_PATH bool magazine_push(unsigned class_index, void *p) {
    return magazine_push_and_clear(class_index, p, false, NULL);
}

#endif
