/* SPDX-License-Identifier: MIT */
/* Where malloc and free enter, for callers that inline them: programs that link hakmem statically, and the drop-in
 * library.
 *
 * hak_alloc_inline and hak_free_inline do what hak_alloc and hak_free do (hakmem.h). They hold the fast path; the slow
 * path is a function elsewhere. */
#ifndef HAKMEM_FRONT_FRONT_FAST_H
#define HAKMEM_FRONT_FRONT_FAST_H

#include "hakmem/base/bits.h"
#include "hakmem/base/watcher.h"
#include "hakmem/hakmem.h"
#include "hakmem/ladder/branches.h"
#include "hakmem/ladder/paths.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/region/page_map.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/tiny/tiny_fast.h"

/* hak_alloc, for sizes above tiny, an empty magazine, or a thread or process that has not begun. */
HAK_NOINLINE HAK_NEAR void *hak_front_alloc_slow(size_t size);

/* hak_free, for NULL, pointers that are not ours, huge blocks, a full magazine, or a thread or process that has not
 * begun; in builds with guard also for whatever is no live block, and for every p while the shadow has the limited
 * form. */
HAK_NOINLINE HAK_NEAR void hak_front_free_slow(void *p);

/* Frees p, a block of a slab that another thread owns, into that slab. The product never calls it. */
HAK_COLD void hak_front_free_remote(void *p);

/* Guard builds: the class if a live block starts at p, which may be any pointer. Other builds: the class of the chunk
 * that contains p. 0 for huge blocks and where there is none. For slow paths. */
HAK_ALWAYS_INLINE unsigned front_class_of(const void *p) {
    return HAK_GUARD_EXACT ? shadow_class(p) : hak_region_chunk_class(p);
}

/* Whether p, a block, lies in a slab that another thread owns. */
HAK_FAST_PATH bool front_is_others(const struct hak_thread *self, const void *p) {
    /* Relaxed: it equals this thread's number only where this thread stored it. */
    const uint32_t owner = hak_load_relaxed(&slab_of(p)->owner);
    return HAK_UNLIKELY(owner != SLAB_NOBODY && owner != self->number);
}

/* Frees `pointer`, any, if it takes no more than a push; false: nothing was done. */
HAK_FAST_PATH bool front_free_hot(void *pointer) {
    void *const p = bits_untagged(pointer);
    thread_expect_outside();
    if (HAK_GUARD_FULL || WATCHER_RUNS()) {
        return false; /* guarded.h, watched.h */
    }
    if (ladder_ignores(p)) {
        return true;
    }
    uint8_t *live = NULL;
    if (HAK_GUARD_EXACT) {
        const uintptr_t index = shadow_index(p);
        if (HAK_UNLIKELY(index >= hak_load_setting(&hak_shadow.limit))) {
            return false;
        }
        live = &hak_shadow.classes[index];
        /* A prefetch does not wait for stores before it. The load below may: the processor predicts that it reads what
         * one of them wrote. */
        __builtin_prefetch(live);
    }
    /* Relaxed: see shadow.h. A tag lies above the page map's mask, which so need not wait until it is gone. */
    const unsigned class_index = HAK_GUARD_EXACT ? hak_load_relaxed(live) : page_map_class(pointer);
    const struct hak_thread *self = hak_self;
    if (ladder_refuses_free(p, self, class_index)) {
        return false;
    }
    if (ladder_asks_owner() && front_is_others(self, p)) {
        hak_front_free_remote(p);
        return true;
    }
    return HAK_LIKELY(magazine_push_and_clear(class_index, p, HAK_GUARD_EXACT, live));
}

HAK_FAST_PATH void *hak_alloc_inline(size_t size) {
    if (!ladder_splits_paths()) {
        return hak_alloc(size);
    }
    void *p = tiny_pop(size);
    return HAK_LIKELY(p != NULL) ? p : hak_front_alloc_slow(size);
}

HAK_FAST_PATH void hak_free_inline(void *p) {
    if (!ladder_splits_paths()) {
        hak_free(p);
    } else if (HAK_UNLIKELY(!front_free_hot(p))) {
        hak_front_free_slow(p);
    }
}

#endif
