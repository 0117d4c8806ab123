/* SPDX-License-Identifier: MIT */
/* See exchange_flush.h. */
#include "hakmem/magazine/exchange_flush.h"

#include "hakmem/guard/quarantine.h"
#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/magazine/learning.h"
#include "hakmem/magazine/sampling.h"
#include "hakmem/magazine/stash.h"
#include "hakmem/region/held.h"
#include "hakmem/slab/partial.h"

void hak_exchange_flush_blocks(struct hak_thread *thread, unsigned class_index, void *const *blocks, uint32_t count) {
    void *leaving[QUARANTINE_BATCH];
    exchange_assert_held(thread, class_index);
    if (HAK_GUARD_FULL && guard_has(HAK_FEATURE_QUARANTINE)) {
        count = hak_quarantine_pass(class_index, thread->number, blocks, count, leaving);
        blocks = leaving;
    }
    hak_count_add(&thread->remote_frees, hak_slab_free_blocks(thread->number, class_index, blocks, count));
    exchange_charge(thread, class_index, LADDER_WORK_FLUSH, 1);
    exchange_charge(thread, class_index, LADDER_WORK_FLUSH_BLOCK, count);
}

void hak_exchange_flush_oldest(struct hak_thread *thread, unsigned class_index) {
    const uint32_t level = exchange_returned_level(thread, class_index), half = level > 1 ? level / 2 : level;
    void **base = hak_load_relaxed(&thread->returned[class_index]) - level;
    hak_exchange_flush_blocks(thread, class_index, base, half);
    hak_exchange_move_slots(base, base + half, level - half);
    hak_store_release(&thread->returned[class_index], base + (level - half));
}

/* Frees the blocks of a magazine. Returns its base, which is its top now. */
static void **exchange_flush_magazine(struct hak_thread *thread, unsigned class_index, void **top, uint32_t level) {
    if (level > 0) {
        hak_exchange_flush_blocks(thread, class_index, top - level, level);
    }
    return top - level;
}

void **hak_exchange_flush_stashed(struct hak_thread *thread, unsigned class_index) {
    void **storage = hak_stash_take_oldest(thread, class_index);
    (void)exchange_flush_magazine(thread, class_index, stash_full_top(storage), hak_classes[class_index].magazine);
    return storage;
}

void hak_exchange_flush_magazines(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    sampling_before_flush(thread, class_index);
    while (own->stashed > 0) {
        hak_stash_put_back(thread, class_index, hak_exchange_flush_stashed(thread, class_index));
    }
    void **loaded = exchange_flush_magazine(thread, class_index, hak_load_relaxed(&thread->loaded[class_index]),
                                            exchange_loaded_level(thread, class_index));
    void **returned = exchange_flush_magazine(thread, class_index, hak_load_relaxed(&thread->returned[class_index]),
                                              exchange_returned_level(thread, class_index));
    hak_store_release(&thread->loaded[class_index], loaded);
    hak_store_release(&thread->returned[class_index], returned);
    own->batch = 0;
}

bool hak_exchange_fit(struct hak_thread *thread, unsigned class_index) {
    const uint32_t most = hak_exchange_most_room(class_index);
    if (exchange_capacity(thread, class_index) > most) {
        exchange_hold(thread, class_index);
        hak_exchange_flush_magazines(thread, class_index);
        exchange_let_go(thread, class_index);
        hak_exchange_shrink(thread, class_index, most);
    }
    return exchange_capacity(thread, class_index) != 0 || hak_exchange_furnish(thread, class_index);
}

void hak_exchange_give_up_slabs(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    exchange_assert_held(thread, class_index);
    for (unsigned i = 0; i < 2; i++) {
        if (own->active[i] != NULL) {
            hak_slab_detach(own->active[i], class_index);
            own->active[i] = NULL;
            exchange_charge(thread, class_index, LADDER_WORK_SLAB, 1);
        }
    }
}

static void exchange_flush_class(struct hak_thread *thread, unsigned class_index) {
    exchange_hold(thread, class_index);
    exchange_count(thread, class_index);
    hak_exchange_flush_magazines(thread, class_index);
    exchange_note_levels(thread, class_index);
    hak_exchange_give_up_slabs(thread, class_index);
    exchange_let_go(thread, class_index);
}

/* Whether there is anything to flush. free fills the returned magazine without an exchange. */
static bool exchange_holds_any(const struct hak_thread *thread, unsigned class_index) {
    /* A hint: the slabs of an idle thread may have been taken meanwhile. */
    return hak_load_relaxed(&thread->classes[class_index].active[0]) != NULL ||
           exchange_returned_level(thread, class_index) > 0 || exchange_loaded_level(thread, class_index) > 0;
}

void hak_exchange_flush(struct hak_thread *thread) {
    exchange_enter(thread);
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        /* A class without room has slabs all the same where its blocks are in no magazine (share.h). */
        if (!exchange_is_unfurnished(thread, class_index) || exchange_holds_any(thread, class_index)) {
            exchange_flush_class(thread, class_index);
        }
    }
    exchange_leave(thread);
}

void hak_exchange_flush_idle(struct hak_thread *thread) {
    hak_exchange_flush(thread);
    if (ladder_room_varies()) {
        exchange_enter(thread);
        hak_exchange_unfurnish(thread);
        exchange_leave(thread);
    }
}

size_t hak_exchange_bytes_above_tiny(const struct hak_thread *thread) {
    size_t bytes = 0;
    for (unsigned class_index = HAK_L2_CLASS_FIRST; class_index < HAK_CLASS_COUNT; class_index++) {
        const uint32_t blocks =
            exchange_loaded_level(thread, class_index) + exchange_returned_level(thread, class_index);
        bytes += (size_t)blocks * hak_classes[class_index].block_size;
    }
    return bytes;
}

bool hak_exchange_keeps_too_much(const struct hak_thread *thread) {
    return hak_exchange_bytes_above_tiny(thread) > hak_share_kept_bytes();
}

/* Clears the mark of the classes from `first` on. Where `flushes`, flushes those on which it was not set, but not `current`. */
static void exchange_look_at_marks(struct hak_thread *thread, unsigned first, unsigned current, uint8_t mark,
                                   bool flushes) {
    for (unsigned class_index = first; class_index < HAK_CLASS_COUNT; class_index++) {
        struct hak_thread_class *own = &thread->classes[class_index];
        const uint8_t used = own->is_used;
        if (flushes && (used & mark) == 0 && class_index != current && exchange_holds_any(thread, class_index)) {
            exchange_flush_class(thread, class_index);
        }
        own->is_used = used & (uint8_t)~mark; /* a flush is an exchange, but no use */
    }
}

void hak_exchange_flush_unused(struct hak_thread *thread, unsigned current) {
    /* The sum over all classes costs more than a refill, so it is made once for as many loaded bytes as a thread keeps. Meanwhile the
     * classes in use are exchanged, which marks them. */
    if (thread->loaded_above_tiny < SHARE_KEPT_LEAST_BYTES || thread->loaded_above_tiny < hak_share_kept_bytes()) {
        return;
    }
    thread->loaded_above_tiny = 0;
    if (!hak_exchange_keeps_too_much(thread)) {
        return;
    }
    exchange_look_at_marks(thread, HAK_L2_CLASS_FIRST, current, RECORD_USED_SINCE_LOADS, true);
}

/* A growing thread looks once for so many bytes of slabs, or for a 16th of what the process holds if that is more. */
#define FLUSH_GROWTH_BYTES ((size_t)256 << 10)
#define FLUSH_GROWTH_OF 16
/* It flushes only where the unpurged free blocks of PARTIAL slabs are at least this part of what the process holds. */
#define FLUSH_GROWTH_FREE_OF 8

void hak_exchange_flush_before_growth(struct hak_thread *thread, unsigned current) {
    if (thread->grown < FLUSH_GROWTH_BYTES) {
        return;
    }
    const size_t held = hak_held_bytes();
    if (thread->grown < held / FLUSH_GROWTH_OF) {
        return;
    }
    thread->grown = 0;
    exchange_look_at_marks(thread, 1, current, RECORD_USED_SINCE_GROWTH,
                           hak_partial_unpurged_bytes() >= held / FLUSH_GROWTH_FREE_OF);
}
