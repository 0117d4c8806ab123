/* SPDX-License-Identifier: MIT */
/* See sampled.h. */
#include "hakmem/sample/sampled.h"

#include <string.h>

#include "hakmem/base/asan.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/sample/hooks.h"
#include "hakmem/sample/stack_capture.h"
#include "hakmem/slab/moving.h"

/* Draws when the next sample is due, behind the `made` allocations of the class that the thread made so far. */
static HAK_COLD void sampled_draw(struct hak_thread *thread, unsigned class_index, uint64_t made) {
    struct hak_thread_chance *chance = hak_profile_chance(thread);
    struct hak_thread_sample *sample = &thread->samples[class_index];
    sample->at = made + hak_profile_draw(chance, class_index);
    sample->thinning = chance->thinning;
    sample->epoch = chance->epoch;
}

/* Whether the next allocation of the class is to be sampled; draws first where nothing was drawn. */
static bool sampled_is_due(struct hak_thread *thread, unsigned class_index) {
    const uint64_t made = sampling_made(thread, class_index);
    if (HAK_UNLIKELY(!sampling_is_drawn(&thread->samples[class_index], made))) {
        sampled_draw(thread, class_index, made);
    }
    return thread->samples[class_index].at == made;
}

/* Takes the uppermost `surplus` blocks out of the loaded magazine, in an exchange of its own: for builds without P3. */
static HAK_COLD void sampled_unload(struct hak_thread *thread, unsigned class_index, uint32_t surplus) {
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
        exchange_hold(thread, class_index);
        hak_slab_free_blocks(thread->number, class_index, top + moved, surplus - moved);
        exchange_let_go(thread, class_index);
    }
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
}

/* hak_sampling_park for either kind of build. */
static void sampled_limit(struct hak_thread *thread, unsigned class_index) {
    if (ladder_reads_slots()) {
        hak_sampling_park(thread, class_index);
        return;
    }
    const uint64_t left = sampling_left(thread, class_index);
    const uint32_t level = exchange_loaded_level(thread, class_index);
    if (HAK_UNLIKELY(left < level)) {
        sampled_unload(thread, class_index, level - (uint32_t)left);
    }
}

/* A block the ordinary way. NULL: no memory. pre: none is parked */
static void *sampled_take(struct hak_thread *thread, unsigned class_index) {
    void *p = magazine_take(class_index);
    /* There is one where a sample was due, the thread began just now, or the shadow is limited. */
    return p != NULL ? p : exchange_alloc_begun(thread, class_index);
}

/* A sampled block of the profile's own slabs, counted as the thread's allocation. NULL: the sample is lost */
static void *sampled_take_own(struct hak_thread *thread, unsigned class_index, const struct hak_due *due) {
    struct hak_thread_class *own = &thread->classes[class_index];
    bool zeroed;
    exchange_enter(thread);
    void *p = hak_profile_alloc(class_index, due, &zeroed);
    /* Release: behind the odd sequence. */
    hak_store_release(&own->allocations, own->allocations + (p != NULL));
    exchange_note_class(thread, class_index);
    exchange_leave(thread);
    if (p != NULL && own->loaded_zeroed && !zeroed) {
        /* What is said of the blocks in the magazine holds for this one, too. */
        if (ASAN_WORKS()) {
            hak_asan_show(p, hak_classes[class_index].block_size);
        }
        memset(p, 0, hak_classes[class_index].block_size);
    }
    return p;
}

/* Where the program's call is. */
static const void *sampled_site(const void *caller) {
    return hak_profile_site != NULL ? hak_profile_site : profile_call(caller);
}

/* A block that is not sampled. A block that is has no mark in the shadow: its free takes the slow path. */
static void *sampled_mark(void *p, unsigned class_index) {
    if (HAK_GUARD_EXACT && p != NULL) {
        shadow_set(p, class_index);
    }
    return p;
}

/* A block that is sampled, unless the sample is lost. NULL: no memory. pre: as sampled_take */
static HAK_COLD void *sampled_due(struct hak_thread *thread, unsigned class_index, size_t asked, const void *site) {
    const bool in_place = profile_is_in_place(class_index);
    struct hak_due due;
    due.epoch = thread->samples[class_index].epoch;
    due.thread = thread->number;
    due.asked = asked;
    due.thinning = thread->samples[class_index].thinning;
    const bool is_unwound = hak_stack_capture(&due.stack, site);
    void *p = in_place ? NULL : sampled_take_own(thread, class_index, &due);
    bool is_sampled = p != NULL;
    if (p == NULL) {
        p = sampled_take(thread, class_index);
        is_sampled = in_place && p != NULL && hak_profile_note(p, class_index, &due);
    }
    hak_profile_spend(&thread->chance, is_unwound);
    sampled_draw(thread, class_index, sampling_made(thread, class_index));
    return is_sampled ? p : sampled_mark(p, class_index);
}

static void *sampled_begun(struct hak_thread *thread, unsigned class_index, size_t asked, const void *caller) {
    void *p;
    hak_sampling_unpark(thread, class_index);
    if (HAK_UNLIKELY(sampled_is_due(thread, class_index))) {
        p = sampled_due(thread, class_index, asked, sampled_site(caller));
    } else {
        p = sampled_mark(sampled_take(thread, class_index), class_index);
    }
    sampled_limit(thread, class_index);
    return p;
}

static void *sampled_shared_own(unsigned class_index, const struct hak_due *due) {
    bool zeroed;
    hak_moving_begin();
    void *p = hak_profile_alloc(class_index, due, &zeroed);
    if (p != NULL) {
        hak_shared_count(class_index, 1, 0);
    }
    hak_moving_end();
    return p;
}

/* A block that is sampled, of a thread without magazines. NULL: the sample is lost, or there is no memory */
static HAK_COLD void *sampled_shared_due(unsigned class_index, size_t asked, const void *site, uint32_t epoch) {
    struct hak_due due;
    due.epoch = epoch;
    due.thread = 0;
    due.asked = asked;
    due.thinning = 0;
    (void)hak_stack_capture(&due.stack, site);
    if (!profile_is_in_place(class_index)) {
        return sampled_shared_own(class_index, &due);
    }
    void *p = hak_shared_alloc(class_index);
    return p == NULL || hak_profile_note(p, class_index, &due) ? p : sampled_mark(p, class_index);
}

/* A thread without magazines: one trial a block. */
static void *sampled_shared(unsigned class_index, size_t asked, const void *caller) {
    uint32_t epoch;
    const bool is_due = sampling_is_on() && hak_profile_try(class_index, &epoch);
    void *p = is_due ? sampled_shared_due(class_index, asked, sampled_site(caller), epoch) : NULL;
    return p != NULL ? p : sampled_mark(hak_shared_alloc(class_index), class_index);
}

/* The profile is not on, or the thread has not begun, or has ended. */
static HAK_COLD void *sampled_other(unsigned class_index, size_t asked, const void *caller) {
    struct hak_thread *thread = hak_thread_begin();
    if (thread == NULL) {
        return sampled_shared(class_index, asked, caller);
    }
    if (sampling_is_on()) {
        return sampled_begun(thread, class_index, asked, caller);
    }
    sampling_before_flush(thread, class_index);
    return sampled_mark(hak_exchange_alloc(class_index), class_index);
}

/* The commonest case: nothing is left of the loaded magazine, no sample is due, and what came back takes its place.
 * NULL: it is another */
HAK_ALWAYS_INLINE void *sampled_swap_in(struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_sample *sample = &thread->samples[class_index];
    const struct hak_thread_class *own = &thread->classes[class_index];
    const bool is_drawn = sample->epoch == hak_load_relaxed(&hak_sampling_epoch);
    if (HAK_UNLIKELY(!is_drawn || sample->parked != NULL || exchange_loaded_level(thread, class_index) != 0)) {
        return NULL;
    }
    const int64_t left = sampling_left_if_empty(thread, class_index);
    if (HAK_UNLIKELY(left <= 0) || !exchange_swap_in(thread, class_index)) {
        return NULL;
    }
    void *p = magazine_take(class_index);
    if (HAK_UNLIKELY(left < own->loaded_level)) {
        sampled_limit(thread, class_index);
    }
    return p;
}

void *hak_sampled_alloc(unsigned class_index, size_t asked, const void *caller) {
    struct hak_thread *thread = hak_self;
    const bool is_usual = HAK_LIKELY(thread != NULL && sampling_is_on());
    void *p = is_usual && !HAK_GUARD_EXACT ? sampled_swap_in(thread, class_index) : NULL;
    if (p != NULL) {
        return p;
    }
    return is_usual ? sampled_begun(thread, class_index, asked, caller) : sampled_other(class_index, asked, caller);
}

/* Counts the free of a block of the profile's own slabs. */
static void sampled_count_free(unsigned class_index, const void *caller) {
    struct hak_thread *thread = hak_thread_begin_to_free(caller);
    if (thread == NULL) {
        hak_shared_count(class_index, 0, 1);
    } else if (exchange_counts()) {
        hak_count_add(&thread->classes[class_index].frees, 1);
        exchange_note_class(thread, class_index);
    }
}

bool hak_sampled_free_slow(void *p, const void *caller) {
    hooks_note_freed(p);
    hak_moving_begin();
    const int found = hak_profile_forget(p, caller);
    const bool in_place = found > PROFILE_HUGE && profile_is_in_place((unsigned)found);
    if (found > PROFILE_HUGE && !in_place) {
        sampled_count_free((unsigned)found, caller);
    }
    hak_moving_end();
    if (in_place) {
        hak_exchange_free_called((unsigned)found, p, caller);
    }
    return found > PROFILE_HUGE;
}
