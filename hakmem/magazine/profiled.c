/* SPDX-License-Identifier: MIT */
/* See profiled.h. */
#include "hakmem/magazine/profiled.h"

#include <errno.h>
#include <string.h>

#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/pool.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/slab/moving.h"
#include "hakmem/slab/purge.h"

void hak_profiled_draw(struct hak_thread *thread, unsigned class_index, uint64_t made) {
    struct hak_thread_chance *chance = &thread->chance;
    const uint32_t epoch = hak_load_relaxed(&hak_profile_epoch);
    if (HAK_UNLIKELY(chance->epoch != epoch)) {
        *chance = (struct hak_thread_chance){.random = hak_profile_random_of(thread->number), .epoch = epoch};
    }
    struct hak_thread_sample *sample = &thread->samples[class_index];
    sample->at = made + hak_profile_draw(&chance->random, class_index);
    sample->epoch = epoch;
}

/* Sees to it that the sample is not passed by. pre: no block of the magazine is parked */
static void profiled_park(struct hak_thread *thread, unsigned class_index) {
    const uint64_t left = profiled_left(thread, class_index);
    const uint32_t level = exchange_loaded_level(thread, class_index);
    if (HAK_UNLIKELY(left < level)) {
        struct hak_thread_sample *sample = &thread->samples[class_index];
        void **slot = hak_load_relaxed(&thread->loaded[class_index]) - 1 - left;
        sample->parked_at = level - 1 - (uint32_t)left;
        /* Release, both: the child of a fork in between finds the block in two places, not in none. */
        hak_store_release(&sample->parked, *slot);
        hak_store_release(slot, (void *)NULL);
    }
}

void hak_profiled_unpark(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_sample *sample = &thread->samples[class_index];
    /* Relaxed: the owner wrote it. */
    void *parked = hak_load_relaxed(&sample->parked);
    if (parked != NULL) {
        void **top = hak_load_relaxed(&thread->loaded[class_index]);
        void **slot = top - exchange_loaded_level(thread, class_index) + sample->parked_at;
        /* Release, both: as above. */
        hak_store_release(slot, parked);
        hak_store_release(&sample->parked, (void *)NULL);
    }
}

void hak_profiled_loaded(struct hak_thread *thread, unsigned class_index) {
    exchange_note_levels(thread, class_index);
    profiled_park(thread, class_index);
}

/* Takes the uppermost `surplus` blocks out of the loaded magazine, in an exchange of its own: for builds without P3. */
static HAK_COLD void profiled_unload(struct hak_thread *thread, unsigned class_index, uint32_t surplus) {
    exchange_enter(thread);
    exchange_count(thread, class_index);
    void **top = hak_load_relaxed(&thread->loaded[class_index]) - surplus;
    /* Release: behind the odd sequence. */
    hak_store_release(&thread->loaded[class_index], top);
    uint32_t moved = 0;
    while (moved < surplus && magazine_push(class_index, top[moved])) {
        moved++;
    }
    if (moved < surplus) {
        hak_slab_free_blocks(thread->number, class_index, top + moved, surplus - moved);
    }
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
}

/* profiled_park for either kind of build. */
static void profiled_limit(struct hak_thread *thread, unsigned class_index) {
    if (ladder_reads_slots()) {
        profiled_park(thread, class_index);
        return;
    }
    const uint64_t left = profiled_left(thread, class_index);
    const uint32_t level = exchange_loaded_level(thread, class_index);
    if (HAK_UNLIKELY(left < level)) {
        profiled_unload(thread, class_index, level - (uint32_t)left);
    }
}

/* A block the ordinary way. NULL: no memory. pre: none is parked */
static void *profiled_take(struct hak_thread *thread, unsigned class_index) {
    void *p = magazine_take(class_index);
    /* There is one where a sample was due, the thread began just now, or the shadow is limited. */
    return p != NULL ? p : exchange_alloc_begun(thread, class_index);
}

/* A sampled block of the profile's own slabs, counted as the thread's allocation. NULL: the sample is lost */
static void *profiled_take_sampled(struct hak_thread *thread, unsigned class_index, const void *site) {
    struct hak_thread_class *own = &thread->classes[class_index];
    bool zeroed;
    exchange_enter(thread);
    void *p = hak_profile_alloc(class_index, site, &zeroed);
    /* Release: behind the odd sequence. */
    hak_store_release(&own->allocations, own->allocations + (p != NULL));
    exchange_leave(thread);
    if (own->loaded_zeroed && !zeroed && p != NULL) {
        /* What is said of the blocks in the magazine holds for this one, too. */
        memset(p, 0, hak_classes[class_index].block_size);
    }
    return p;
}

/* Where the program's call is. */
static const void *profiled_site(const void *caller) {
    return hak_profile_site != NULL ? hak_profile_site : profile_call(caller);
}

/* A block that is not sampled. A block that is has no mark in the shadow: its free takes the slow path. */
static void *profiled_mark(void *p, unsigned class_index) {
    if (HAK_GUARD_EXACT && p != NULL) {
        shadow_set(p, class_index);
    }
    return p;
}

/* A block that is sampled, unless the sample is lost. NULL: no memory. pre: as profiled_take */
static HAK_COLD void *profiled_due(struct hak_thread *thread, unsigned class_index, const void *site) {
    const bool in_place = profile_is_in_place(class_index);
    void *p = in_place ? NULL : profiled_take_sampled(thread, class_index, site);
    bool is_sampled = p != NULL;
    if (p == NULL) {
        p = profiled_take(thread, class_index);
        is_sampled = in_place && p != NULL && hak_profile_note(p, class_index, site);
    }
    const struct hak_thread_class *own = &thread->classes[class_index];
    hak_profiled_draw(thread, class_index,
                      own->allocations + own->loaded_level - exchange_loaded_level(thread, class_index));
    return is_sampled ? p : profiled_mark(p, class_index);
}

static void *profiled_begun(struct hak_thread *thread, unsigned class_index, const void *caller) {
    void *p;
    hak_profiled_unpark(thread, class_index);
    if (HAK_UNLIKELY(profiled_left(thread, class_index) == 0)) {
        p = profiled_due(thread, class_index, profiled_site(caller));
    } else {
        p = profiled_mark(profiled_take(thread, class_index), class_index);
    }
    profiled_limit(thread, class_index);
    return p;
}

static void *profiled_shared_sampled(unsigned class_index, const void *site) {
    bool zeroed;
    hak_moving_begin();
    void *p = hak_profile_alloc(class_index, site, &zeroed);
    if (p != NULL) {
        hak_shared_count(class_index, 1, 0);
    }
    hak_moving_end();
    return p;
}

/* A thread without magazines: one trial a block. */
static void *profiled_shared(unsigned class_index, const void *caller) {
    const bool is_due = profile_is_on() && hak_profile_try(class_index);
    const bool in_place = profile_is_in_place(class_index);
    void *p = is_due && !in_place ? profiled_shared_sampled(class_index, profiled_site(caller)) : NULL;
    if (p != NULL) {
        return p;
    }
    p = hak_shared_alloc(class_index);
    return p != NULL && is_due && in_place && hak_profile_note(p, class_index, profiled_site(caller))
               ? p
               : profiled_mark(p, class_index);
}

/* The profile is not on, or the thread has not begun, or has ended. */
static HAK_COLD void *profiled_other(unsigned class_index, const void *caller) {
    struct hak_thread *thread = hak_thread_begin();
    if (thread == NULL) {
        return profiled_shared(class_index, caller);
    }
    if (profile_is_on()) {
        return profiled_begun(thread, class_index, caller);
    }
    profiled_before_flush(thread, class_index);
    return profiled_mark(hak_exchange_alloc(class_index), class_index);
}

/* The commonest case: nothing is left of the loaded magazine, no sample is due, and what came back takes its place.
 * NULL: it is another */
HAK_ALWAYS_INLINE void *profiled_swap_in(struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_sample *sample = &thread->samples[class_index];
    const struct hak_thread_class *own = &thread->classes[class_index];
    const bool is_drawn = sample->epoch == hak_load_relaxed(&hak_profile_epoch);
    if (HAK_UNLIKELY(!is_drawn || sample->parked != NULL || exchange_loaded_level(thread, class_index) != 0)) {
        return NULL;
    }
    const int64_t left = (int64_t)(sample->at - own->allocations - own->loaded_level);
    if (HAK_UNLIKELY(left <= 0) || !exchange_swap_in(thread, class_index)) {
        return NULL;
    }
    void *p = magazine_take(class_index);
    if (HAK_UNLIKELY(left < own->loaded_level)) {
        profiled_limit(thread, class_index);
    }
    return p;
}

void *hak_profiled_alloc(unsigned class_index, bool *zeroed, const void *caller) {
    struct hak_thread *thread = hak_self;
    const bool is_usual = HAK_LIKELY(thread != NULL && profile_is_on());
    void *p = is_usual && !HAK_GUARD_EXACT ? profiled_swap_in(thread, class_index) : NULL;
    if (p == NULL) {
        p = is_usual ? profiled_begun(thread, class_index, caller) : profiled_other(class_index, caller);
    }
    if (HAK_UNLIKELY(p == NULL)) {
        errno = ENOMEM;
        return NULL;
    }
    ladder_count_allocation(p, class_index);
    /* Before the poll, which may refill the magazine. */
    *zeroed = exchange_is_zeroed(class_index);
    purge_poll_alloc(caller);
    return p;
}

/* Counts the free of a block of the profile's own slabs. */
static void profiled_count_free(unsigned class_index) {
    struct hak_thread *thread = hak_thread_begin();
    if (thread == NULL) {
        hak_shared_count(class_index, 0, 1);
    } else if (exchange_counts()) {
        hak_count_add(&thread->classes[class_index].frees, 1);
    }
}

bool hak_profiled_free_slow(void *p, const void *caller) {
    hak_moving_begin();
    const int found = hak_profile_forget(p, caller);
    const bool in_place = found > PROFILE_HUGE && profile_is_in_place((unsigned)found);
    if (found > PROFILE_HUGE && !in_place) {
        profiled_count_free((unsigned)found);
    }
    hak_moving_end();
    if (in_place) {
        hak_exchange_free((unsigned)found, p);
    }
    return found > PROFILE_HUGE;
}
