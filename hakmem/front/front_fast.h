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
HAK_COLD void *front_alloc_slow(size_t size);

/* NULL, foreign, huge, magazine full, thread or process not begun. */
HAK_COLD void front_free_slow(void *p);

/* A block of a slab that another thread owns (builds without P3). */
HAK_COLD void front_free_remote(void *p);

/* The explicit branches of builds without P3: what the sentinels of those with it make superfluous.
 * true: p is taken care of. */
HAK_ALWAYS_INLINE bool front_free_explicit(void *p) {
    if (HAK_UNLIKELY(p == NULL)) {
        return true;
    }
    const bool in_range = (uintptr_t)p >> HAK_ADDRESS_BITS == 0;
    const bool thread_begun = hak_self != NULL;
    if (HAK_UNLIKELY(!in_range) || HAK_UNLIKELY(!thread_begun)) {
        front_free_slow(p);
        return true;
    }
    const unsigned class_index = page_map_class(p);
    if (HAK_UNLIKELY(class_index == 0)) {
        front_free_slow(p);
        return true;
    }
    struct slab_position position;
    if (HAK_LIKELY(slab_locate(p, class_index, &position))) {
        /* Relaxed: it equals this thread's number only where this thread stored it. */
        const uint32_t owner = hak_load_relaxed(&position.slab->owner);
        if (HAK_UNLIKELY(owner != SLAB_NOBODY && owner != hak_self->number)) {
            front_free_remote(p);
            return true;
        }
    }
    return false;
}

/* true: p lies in a returned magazine now, or is taken care of otherwise. */
HAK_ALWAYS_INLINE bool front_free_hot(void *p) {
    if (!HAK_P3_SENTINELS && front_free_explicit(p)) {
        return true;
    }
    return magazine_push(page_map_class(p), p);
}

HAK_ALWAYS_INLINE void *hak_alloc_inline(size_t size) {
    if (HAK_P2_INLINE_FAST_PATH) {
        void *p = tiny_pop(size);
        return HAK_LIKELY(p != NULL) ? p : front_alloc_slow(size);
    }
    return hak_alloc(size);
}

HAK_ALWAYS_INLINE void hak_free_inline(void *p) {
    if (HAK_P2_INLINE_FAST_PATH) {
        if (HAK_UNLIKELY(!front_free_hot(p))) {
            front_free_slow(p);
        }
    } else {
        hak_free(p);
    }
}

#endif
