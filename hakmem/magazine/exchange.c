/* SPDX-License-Identifier: MIT */
/* The entries of malloc and free, and what a full returned magazine leads to; see exchange.h. */
#include "hakmem/magazine/exchange.h"

#include "hakmem/base/assert.h"
#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/sampling.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/stash.h"
#include "hakmem/magazine/thread.h"

void *hak_exchange_alloc(unsigned class_index) {
    struct hak_thread *thread = hak_thread_begin();
    if (HAK_UNLIKELY(thread == NULL)) {
        return hak_shared_alloc(class_index);
    }
    /* If the thread began long ago, its magazine may hold blocks. */
    void *p = magazine_take(class_index);
    return p != NULL ? p : exchange_alloc_begun(thread, class_index);
}

void *hak_exchange_alloc_limited(struct hak_thread *thread, unsigned class_index) {
    void *p = magazine_take(class_index);
    return p != NULL ? p : hak_exchange_load(thread, class_index);
}

void *hak_exchange_alloc_uncached(struct hak_thread *thread, unsigned class_index) {
    void *p = NULL;
    exchange_enter(thread);
    struct slab *slab = hak_slab_create(class_index, thread->number);
    if (slab != NULL) {
        hak_slab_take(slab, class_index, &p, 1, &thread->classes[class_index].loaded_zeroed);
        hak_slab_detach(slab, class_index);
        if (exchange_counts()) {
            hak_count_add(&thread->classes[class_index].allocations, 1);
            exchange_note_class(thread, class_index);
        }
    }
    exchange_leave(thread);
    return p;
}

/* `thread`: the calling one, NULL where it has no record. */
static void exchange_free(struct hak_thread *thread, unsigned class_index, void *p) {
    if (HAK_UNLIKELY(thread == NULL)) {
        hak_shared_free(class_index, p);
    } else if (!magazine_push(class_index, p)) {
        hak_exchange_free_begun(thread, class_index, p);
    }
}

void hak_exchange_free(unsigned class_index, void *p) { exchange_free(hak_thread_begin(), class_index, p); }

void hak_exchange_free_called(unsigned class_index, void *p, const void *caller) {
    exchange_free(hak_thread_begin_to_free(caller), class_index, p);
}

void hak_exchange_free_at_once(unsigned class_index, void *p) {
    struct hak_thread *thread = hak_self;
    exchange_hold(thread, class_index);
    hak_exchange_flush_blocks(thread, class_index, &p, 1);
    exchange_let_go(thread, class_index);
    if (exchange_counts()) {
        hak_count_add(&thread->classes[class_index].frees, 1);
        exchange_note_class(thread, class_index);
    }
}

static void exchange_free_uncached(struct hak_thread *thread, unsigned class_index, void *p) {
    exchange_enter(thread);
    hak_exchange_free_at_once(class_index, p);
    exchange_leave(thread);
}

/* Gives back active slabs of which no block is taken. */
static void exchange_release_empty(struct hak_thread *thread, unsigned class_index) {
    struct slab **active = thread->classes[class_index].active;
    exchange_assert_held(thread, class_index);
    if (active[1] != NULL && hak_slab_release_if_empty(active[1], class_index)) {
        active[1] = NULL;
    }
    if (active[0] != NULL && hak_slab_release_if_empty(active[0], class_index)) {
        active[0] = active[1];
        active[1] = NULL;
    }
}

/* Puts the full returned magazine into the stash and an empty one in its place. If the stash is full, its oldest
 * magazine is flushed and becomes the empty one. false: the class has no stash */
static bool exchange_stash(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    void **storage = exchange_may_stash(thread, class_index) ? hak_stash_make_room(thread, class_index) : NULL;
    if (storage == NULL && own->stashed > 0) {
        storage = hak_exchange_flush_stashed(thread, class_index);
    }
    if (storage == NULL) {
        return false;
    }
    exchange_charge(thread, class_index, LADDER_WORK_STASH, 1);
    hak_stash_put(thread, class_index, stash_storage(hak_load_relaxed(&thread->returned[class_index])));
    hak_store_release(&thread->returned[class_index], stash_base(storage, class_index));
    return true;
}

/* Whether a thread whose returned magazine is full should keep no block of the class. True if it loaded none since the
 * class's last flush; if it filled all magazines of the class while malloc never emptied the loaded one; and, for a
 * class above tiny, if it holds more of such blocks than it keeps. With the quarantine also for a
 * magazine that has no half to flush. */
static bool exchange_gives_up(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    return own->batch == 0 || own->overflows++ > hak_classes[class_index].stash + 1u ||
           exchange_returns_at_once(thread, class_index) ||
           (guard_has(HAK_FEATURE_QUARANTINE) && exchange_returned_level(thread, class_index) < 2) ||
           (class_index >= HAK_L2_CLASS_FIRST && exchange_loaded_level(thread, class_index) > 0 &&
            hak_exchange_keeps_too_much(thread));
}

/* Makes room in the returned magazine. pre: it is full */
static void exchange_make_room(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    if (exchange_gives_up(thread, class_index)) {
        hak_exchange_flush_magazines(thread, class_index);
        hak_exchange_give_up_slabs(thread, class_index);
        own->overflows = 0;
        return;
    }
    hak_exchange_check_returned(thread, class_index);
    if (HAK_UNLIKELY(exchange_returned_level(thread, class_index) < exchange_capacity(thread, class_index))) {
        return; /* the check took something out */
    }
    if (guard_has(HAK_FEATURE_QUARANTINE)) {
        hak_exchange_flush_oldest(thread, class_index); /* through the quarantine, before malloc may find it */
    } else if (exchange_loaded_level(thread, class_index) == 0 &&
               sampling_may_load(thread, class_index, exchange_capacity(thread, class_index))) {
        hak_exchange_swap(thread, class_index);
        sampling_after_load(thread, class_index);
        return;
    } else if (!exchange_stash(thread, class_index)) {
        hak_exchange_flush_oldest(thread, class_index);
    }
    exchange_release_empty(thread, class_index);
}

/* hak_exchange_free_begun. */
HAK_ALWAYS_INLINE void exchange_free_begun_now(struct hak_thread *thread, unsigned class_index, void *p) {
    if (exchange_is_uncached(class_index)) {
        exchange_free_uncached(thread, class_index, p);
        return;
    }
    exchange_enter(thread);
    exchange_count(thread, class_index);
    if (HAK_UNLIKELY(!exchange_fit(thread, class_index))) {
        hak_exchange_free_at_once(class_index, p);
        exchange_note_levels(thread, class_index);
        exchange_leave(thread);
        return;
    }
    exchange_learn(thread, class_index, NULL);
    if (!ladder_room_is_by_site()) {
        (void)hak_exchange_is_hot(thread, class_index);
    }
    if (exchange_returned_level(thread, class_index) == exchange_capacity(thread, class_index)) {
        exchange_hold(thread, class_index);
        exchange_make_room(thread, class_index);
        exchange_let_go(thread, class_index);
    }
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
    bool pushed = magazine_push(class_index, p);
    HAK_ASSERT(pushed);
    (void)pushed;
}

void hak_exchange_free_begun(struct hak_thread *thread, unsigned class_index, void *p) {
    const bool was_inside = magazine_enter();
    exchange_free_begun_now(thread, class_index, p);
    magazine_leave(was_inside);
}
