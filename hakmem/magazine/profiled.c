/* See profiled.h. */
#include "hakmem/magazine/profiled.h"

#include <errno.h>

#include "hakmem/magazine/pool.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/slab/purge.h"

/* The next sample is due so many allocations from number `from` on. */
void profiled_draw(struct hak_thread *thread, unsigned class_index, uint64_t from) {
    thread->samples[class_index] = (struct hak_thread_sample){.at = from + profile_draw(class_index),
                                                              .epoch = hak_load_relaxed(&hak_profile_epoch)};
}

/* Takes the uppermost `surplus` blocks out of the loaded magazine, in an exchange of its own. */
static HAK_COLD void profiled_unload(struct hak_thread *thread, unsigned class_index, uint32_t surplus) {
    exchange_enter(thread);
    void **top = hak_load_relaxed(&thread->loaded[class_index]) - surplus;
    /* Release: behind the odd sequence. */
    hak_store_release(&thread->loaded[class_index], top);
    uint32_t moved = 0;
    while (moved < surplus && magazine_push(class_index, top[moved])) {
        moved++;
    }
    if (moved < surplus) {
        slab_free_blocks(thread->number, class_index, top + moved, surplus - moved);
    }
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
}

/* A sampled block, counted as an exchange would. NULL: the sample is lost. pre: the loaded magazine is empty */
static HAK_COLD void *profiled_sample(struct hak_thread *thread, unsigned class_index, const void *site) {
    struct hak_thread_class *own = &thread->classes[class_index];
    exchange_enter(thread);
    exchange_count(thread, class_index);
    void *p = profile_alloc(class_index, site, &own->loaded_zeroed);
    /* Release: behind the odd sequence. */
    hak_store_release(&own->allocations, own->allocations + (p != NULL));
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
    profiled_draw(thread, class_index, own->allocations + (p == NULL));
    return p;
}

/* pre: the loaded magazine is empty, and no sample is due */
static void *profiled_exchange(struct hak_thread *thread, unsigned class_index) {
    if (exchange_is_alone(class_index)) {
        return exchange_alloc_alone(thread, class_index);
    }
    if (!exchange_swap_in(thread, class_index) && !exchange_load(thread, class_index)) {
        return NULL;
    }
    /* Another start of the profile may have drawn 0 meanwhile; one block is for the caller all the same. */
    uint64_t left = profiled_left(thread, class_index);
    left += left == 0;
    const uint32_t level = exchange_loaded_level(thread, class_index);
    if (HAK_UNLIKELY(level > left)) {
        profiled_unload(thread, class_index, level - (uint32_t)left);
    }
    return magazine_take(class_index);
}

/* A thread without magazines: one trial a block. */
static void *profiled_shared_sample(unsigned class_index, const void *site) {
    bool zeroed;
    void *p = profile_is_on() && profile_draw(class_index) == 0 ? profile_alloc(class_index, site, &zeroed) : NULL;
    if (p != NULL) {
        shared_count(class_index, 1, 0);
    }
    return p;
}

/* A block that is not sampled. A block that is has no mark in the shadow: its free takes the slow path. */
static void *profiled_mark(void *p, unsigned class_index) {
    if (HAK_GUARD_EXACT && p != NULL) {
        shadow_set(p, class_index);
    }
    return p;
}

/* pre: the thread has begun; its loaded magazine may have blocks where it began just now, or the shadow is limited */
static void *profiled_begun(struct hak_thread *thread, unsigned class_index, const void *site) {
    void *p = magazine_take(class_index);
    if (p == NULL && HAK_UNLIKELY(profiled_left(thread, class_index) == 0)) {
        p = profiled_sample(thread, class_index, site);
        if (p != NULL) {
            return p;
        }
    }
    return profiled_mark(p != NULL ? p : profiled_exchange(thread, class_index), class_index);
}

static void *profiled_any(unsigned class_index, const void *site) {
    struct hak_thread *thread = hak_self != NULL ? hak_self : thread_begin();
    if (HAK_UNLIKELY(thread == NULL)) {
        void *p = profiled_shared_sample(class_index, site);
        return p != NULL ? p : profiled_mark(shared_alloc(class_index), class_index);
    }
    return profile_is_on() ? profiled_begun(thread, class_index, site)
                           : profiled_mark(exchange_alloc(class_index), class_index);
}

void *profiled_alloc(unsigned class_index, const void *caller) {
    void *p = profiled_any(class_index, hak_profile_site != NULL ? hak_profile_site : profile_call(caller));
    if (HAK_UNLIKELY(p == NULL)) {
        errno = ENOMEM;
        return NULL;
    }
    if (!HAK_P1_BATCHED_STATS) {
        sample_allocation(class_index);
    }
    purge_poll(NULL);
    return p;
}

bool profiled_free_slow(void *p) {
    const int found = profile_forget(p);
    if (found <= PROFILE_HUGE) {
        return false;
    }
    struct hak_thread *thread = thread_begin();
    if (thread == NULL) {
        shared_count((unsigned)found, 0, 1);
        return true;
    }
    if (HAK_P1_BATCHED_STATS) {
        hak_count_add(&thread->classes[found].frees, 1);
    }
    return true;
}
