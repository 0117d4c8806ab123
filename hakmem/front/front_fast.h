/* Where a malloc or free enters, for programs that link hakmem statically and inline it (switch P2).
 *
 * hak_alloc_inline and hak_free_inline mean what hak_alloc and hak_free mean (hakmem.h). With P2 they hold
 * the fast path, and the slow path is a cold function elsewhere; without P2 they are calls of hak_alloc and
 * hak_free, which then hold both. */
#ifndef HAKMEM_FRONT_FRONT_FAST_H
#define HAKMEM_FRONT_FRONT_FAST_H

#include "hakmem/hakmem.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/region/page_map.h"
#include "hakmem/tiny/tiny_fast.h"

/* Above tiny, magazine empty, thread or process not begun. */
HAK_NOINLINE void *front_alloc_slow(size_t size);

/* NULL, foreign, huge, magazine full, thread or process not begun. */
HAK_NOINLINE void front_free_slow(void *p);

/* A block of a slab that another thread owns (builds without P3). */
HAK_COLD void front_free_remote(void *p);

enum front_free {
    FRONT_FREE_DONE,
    FRONT_FREE_MISSED, /* the slow path */
    FRONT_FREE_REMOTE, /* another thread owns the slab */
};

/* The explicit branches of builds without P3, which the sentinels of those with it make superfluous. DONE: none
 * of them is taken but NULL's. */
HAK_FAST_PATH enum front_free front_free_explicit(const void *p, unsigned class_index) {
    const struct hak_thread *self = hak_self;
    const bool in_range = (uintptr_t)p >> HAK_ADDRESS_BITS == 0;
    if (HAK_UNLIKELY(!in_range)) {
        return FRONT_FREE_MISSED;
    }
    if (HAK_UNLIKELY(self == NULL)) {
        return FRONT_FREE_MISSED;
    }
    if (HAK_UNLIKELY(class_index == 0)) {
        return FRONT_FREE_MISSED;
    }
    /* Relaxed: it equals this thread's number only where this thread stored it. */
    const uint32_t owner = hak_load_relaxed(&slab_of(p)->owner);
    if (HAK_UNLIKELY(owner != SLAB_NOBODY && owner != self->number)) {
        return FRONT_FREE_REMOTE;
    }
    return FRONT_FREE_DONE;
}

/* DONE: p lies in a returned magazine now, or is NULL. */
HAK_FAST_PATH enum front_free front_free_hot(void *p) {
    if (!HAK_P3_SENTINELS && HAK_UNLIKELY(p == NULL)) {
        return FRONT_FREE_DONE;
    }
    const unsigned class_index = page_map_class(p);
    if (!HAK_P3_SENTINELS) {
        const enum front_free taken = front_free_explicit(p, class_index);
        if (HAK_UNLIKELY(taken != FRONT_FREE_DONE)) {
            return taken;
        }
    }
    return HAK_LIKELY(magazine_push(class_index, p)) ? FRONT_FREE_DONE : FRONT_FREE_MISSED;
}

HAK_FAST_PATH void *hak_alloc_inline(size_t size) {
    if (HAK_P2_INLINE_FAST_PATH) {
        void *p = tiny_pop(size);
        return HAK_LIKELY(p != NULL) ? p : front_alloc_slow(size);
    }
    return hak_alloc(size);
}

HAK_FAST_PATH void hak_free_inline(void *p) {
    if (HAK_P2_INLINE_FAST_PATH) {
        const enum front_free done = front_free_hot(p);
        if (!HAK_P3_SENTINELS && HAK_UNLIKELY(done == FRONT_FREE_REMOTE)) {
            front_free_remote(p);
        } else if (HAK_UNLIKELY(done == FRONT_FREE_MISSED)) {
            front_free_slow(p);
        }
    } else {
        hak_free(p);
    }
}

#endif
