/* SPDX-License-Identifier: MIT */
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
#include "hakmem/shadow/shadow.h"
#include "hakmem/tiny/tiny_fast.h"

/* Above tiny, magazine empty, thread or process not begun. */
HAK_NOINLINE void *hak_front_alloc_slow(size_t size);

/* NULL, foreign, huge, magazine full, thread or process not begun; with guard also everything that is no live block, and
 * all where the shadow is of the limited form. */
HAK_NOINLINE void hak_front_free_slow(void *p);

/* A block of a slab that another thread owns (builds without P3). */
HAK_COLD void hak_front_free_remote(void *p);

/* Class of the block at p, any p: 0 where it is huge or there is none. With guard the block is live and starts at p;
 * without, p lies in a chunk of that class. For slow paths. */
HAK_ALWAYS_INLINE unsigned front_class_of(const void *p) {
    return HAK_GUARD_EXACT ? shadow_class(p) : hak_region_chunk_class(p);
}

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
    if (HAK_GUARD_FULL) {
        return FRONT_FREE_MISSED; /* guarded.h */
    }
    if (!HAK_P3_SENTINELS && HAK_UNLIKELY(p == NULL)) {
        return FRONT_FREE_DONE;
    }
    uint8_t *live = NULL;
    if (HAK_GUARD_EXACT) {
        const uintptr_t index = shadow_index(p);
        if (HAK_UNLIKELY(index >= hak_load_setting(&hak_shadow.limit))) {
            return FRONT_FREE_MISSED;
        }
        live = &hak_shadow.classes[index];
    }
    if (HAK_GUARD_EXACT) {
        /* A prefetch waits for no store before it, as the processor lets the load do that it predicts to read what one of
         * them writes. */
        __builtin_prefetch(live);
    }
    /* Relaxed: see shadow.h. */
    const unsigned class_index = HAK_GUARD_EXACT ? hak_load_relaxed(live) : page_map_class(p);
    if (!HAK_P3_SENTINELS) {
        const enum front_free taken = front_free_explicit(p, class_index);
        if (HAK_UNLIKELY(taken != FRONT_FREE_DONE)) {
            return taken;
        }
    }
    return HAK_LIKELY(magazine_push_and_clear(class_index, p, HAK_GUARD_EXACT, live)) ? FRONT_FREE_DONE
                                                                                      : FRONT_FREE_MISSED;
}

HAK_FAST_PATH void *hak_alloc_inline(size_t size) {
    if (HAK_P2_INLINE_FAST_PATH) {
        void *p = tiny_pop(size);
        return HAK_LIKELY(p != NULL) ? p : hak_front_alloc_slow(size);
    }
    return hak_alloc(size);
}

HAK_FAST_PATH void hak_free_inline(void *p) {
    if (HAK_P2_INLINE_FAST_PATH) {
        const enum front_free done = front_free_hot(p);
        if (!HAK_P3_SENTINELS && HAK_UNLIKELY(done == FRONT_FREE_REMOTE)) {
            hak_front_free_remote(p);
        } else if (HAK_UNLIKELY(done == FRONT_FREE_MISSED)) {
            hak_front_free_slow(p);
        }
    } else {
        hak_free(p);
    }
}

#endif
