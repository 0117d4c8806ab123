/* SPDX-License-Identifier: MIT */
/* The fast path of magazines: malloc takes a block from the loaded magazine, free puts one into the returned magazine.
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
 * So the pointer `top` is all of a magazine's state. The magazine is full if the low bits of `top` are 0, and end ==
 * top rounded up, base == end - capacity, level == top - base.
 *
 * malloc takes top[-1] of the loaded magazine. The slot below every base holds NULL, so an empty magazine gives NULL.
 * Class 0, threads that have not begun and threads that have ended have an empty loaded and a full returned magazine.
 * So one test, of the block in malloc and of the top in free, covers all reasons for the slow path (switch P3).
 *
 * Blocks leave the loaded magazine only by malloc and enter the returned one only by free. So exchanges compute exact
 * counts from the levels, and nothing is counted here (switch P1).
 *
 * The tops lie in two arrays of pointers and not in one of pairs, because processors scale an index by 8 for free, and
 * because thread-local storage is scarce: libraries that are loaded by dlopen share some 1,700 bytes of it (glibc
 * 2.36).
 *
 * Only the owning thread writes its tops. Other threads read them for statistics. */
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

/* A magazine leaves at least one slot below its base, which stays NULL. */
#define MAGAZINE_FITS(class_index, size, blocks, chunks, words, reciprocal, capacity) \
    HAK_STATIC_ASSERT((capacity) < MAGAZINE_SLOTS, "magazine of class " #class_index);
HAK_ALL_CLASSES(MAGAZINE_FITS)
#undef MAGAZINE_FITS

/* Tops of the calling thread's magazines, by class. Atomic. */
extern HAK_THREAD_LOCAL void **hak_loaded[HAK_CLASS_COUNT];
extern HAK_THREAD_LOCAL void **hak_returned[HAK_CLASS_COUNT];

struct hak_thread;

/* The calling thread's record (record.h); NULL before its first allocation and after its end. */
extern HAK_THREAD_LOCAL struct hak_thread *hak_self;

/* Blocks in the magazine of the class with this top. */
HAK_ALWAYS_INLINE uint32_t magazine_level(void *const *top, unsigned class_index) {
    const uintptr_t end = ((uintptr_t)top + MAGAZINE_BYTES - 1) & ~(MAGAZINE_BYTES - 1);
    return hak_classes[class_index].magazine - (uint32_t)((end - (uintptr_t)top) / sizeof *top);
}

/* Debug builds: the thread is between two steps that a signal handler would disturb if it allocated. */
extern HAK_THREAD_LOCAL bool hak_magazine_is_inside;

/* Debug builds, nothing in others: marks such steps. They may lie within others: what enter returned, leave restores. */
HAK_ALWAYS_INLINE bool magazine_enter(void) {
    if (!HAK_DEBUG) {
        return false;
    }
    /* Relaxed, here and below: only handlers of this thread read it. */
    const bool was_inside = hak_load_relaxed(&hak_magazine_is_inside);
    hak_store_relaxed(&hak_magazine_is_inside, true);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return was_inside;
}

HAK_ALWAYS_INLINE void magazine_leave(bool was_inside) {
    if (HAK_DEBUG) {
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        hak_store_relaxed(&hak_magazine_is_inside, was_inside);
    }
}

/* magazine_pop and magazine_take. `marks`, a constant: marks the block as live in the shadow.
 *
 * The top is lowered before the mark is set, and push clears the mark before it raises the top. A fork may fall in
 * between: then the child has lost a block, but no block is marked as live that a magazine or slab holds. */
HAK_FAST_PATH void *magazine_pop_now(unsigned class_index, bool marks) {
    /* Owned, here and below: only this thread writes. A pop makes no other store that readers of statistics could see
     * out of order. */
    void **top = hak_load_owned(&hak_loaded[class_index]);
    if (ladder_refuses_pop(hak_self, top, MAGAZINE_SLOTS, hak_classes[class_index].magazine,
                           marks ? &hak_shadow.limit : NULL)) {
        return NULL;
    }
    void *p = hak_load_below(top);
    HAK_IN_RETURN_REGISTER(p); /* or gcc 12 copies it there */
    ladder_knows_block(p);
    if (HAK_UNLIKELY(p == NULL)) {
        return NULL;
    }
    hak_move_owned_to(&hak_loaded[class_index], -1, top);
    if (marks) {
        uint8_t *entry = &hak_shadow.classes[(uintptr_t)p >> SHADOW_SHIFT];
        HAK_IN_REGISTER(entry);
        hak_store_relaxed(entry, (uint8_t)class_index); /* Relaxed: see shadow.h. */
    }
    return p;
}

HAK_FAST_PATH void *magazine_pop_and_mark(unsigned class_index, bool marks) {
    const bool was_inside = magazine_enter();
    void *p = magazine_pop_now(class_index, marks);
    magazine_leave(was_inside);
    return p;
}

/* A block of the class, in guard builds marked as live. NULL: the caller exchanges; in guard builds always while the
 * shadow has the limited form, since hak_loaded holds empty magazines then (record.h). */
HAK_FAST_PATH void *magazine_pop(unsigned class_index) { return magazine_pop_and_mark(class_index, HAK_GUARD_EXACT); }

/* Whether the returned magazine of the class is full. */
HAK_FAST_PATH bool magazine_is_full(unsigned class_index) {
    return (uintptr_t)hak_load_owned(&hak_returned[class_index]) % MAGAZINE_BYTES == 0;
}

/* magazine_push, which if `clears`, a constant, also clears `live`, p's entry in the shadow, once there is room for p;
 * false then also where another thread freed p meanwhile. */
HAK_FAST_PATH bool magazine_push_now(unsigned class_index, void *p, bool clears, uint8_t *live) {
    void **top = hak_load_owned(&hak_returned[class_index]);
    HAK_IN_REGISTER_BESIDE_X86(top); /* or gcc 12 copies it for arm64 */
    if (HAK_UNLIKELY((uintptr_t)top % MAGAZINE_BYTES == 0)) {
        return false;
    }
    if (clears && HAK_UNLIKELY(!shadow_end(live, class_index))) {
        return false;
    }
    hak_store_above(top, p);
    /* Release: pairs with the acquire loads of hak_walk, which reads other threads' magazines: if it sees the new top,
     * it sees p in the slot below. Without it hak_walk would need a barrier in all threads (membarrier), which the
     * system may refuse. */
    hak_move_owned_release(&hak_returned[class_index], 1, top);
    return true;
}

HAK_FAST_PATH bool magazine_push_and_clear(unsigned class_index, void *p, bool clears, uint8_t *live) {
    const bool was_inside = magazine_enter();
    const bool is_pushed = magazine_push_now(class_index, p, clears, live);
    magazine_leave(was_inside);
    return is_pushed;
}

/* Puts p into the returned magazine. false: it is full, and the caller exchanges. pre: in guard builds p is not marked
 * as live */
HAK_FAST_PATH bool magazine_push(unsigned class_index, void *p) {
    return magazine_push_and_clear(class_index, p, false, NULL);
}

#endif
