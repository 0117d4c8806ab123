/* SPDX-License-Identifier: MIT */
/* See exchange_load.h. */
#include "hakmem/magazine/exchange_load.h"

#include "hakmem/guard/quarantine.h"
#include "hakmem/ladder/remote.h"
#include "hakmem/magazine/exchange_flush.h"
#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/populate.h"
#include "hakmem/magazine/sampling.h"
#include "hakmem/magazine/stash.h"

void hak_exchange_swap_packed(struct hak_thread *thread, unsigned class_index, uint32_t level) {
    void **loaded = hak_load_relaxed(&thread->loaded[class_index]);
    void **returned = hak_load_relaxed(&thread->returned[class_index]) - level;
    hak_exchange_move_slots(loaded, returned, level);
    hak_store_release(&thread->loaded[class_index], loaded + level);
    hak_store_release(&thread->returned[class_index], returned);
}

void hak_exchange_swap(struct hak_thread *thread, unsigned class_index) {
    if (exchange_is_packed(thread, class_index)) {
        hak_exchange_swap_packed(thread, class_index, exchange_returned_level(thread, class_index));
    } else {
        void **empty_top = hak_load_relaxed(&thread->loaded[class_index]);
        hak_store_release(&thread->loaded[class_index], hak_load_relaxed(&thread->returned[class_index]));
        hak_store_release(&thread->returned[class_index], empty_top);
    }
    thread->classes[class_index].loaded_zeroed = false;
    exchange_charge(thread, class_index, LADDER_WORK_SWAP, 1);
}

/* Puts the returned magazine's blocks into the quarantine and loads the blocks that leave it in exchange, so that no
 * slab is touched. false: the loaded magazine is still empty, because hardly any block was returned or none has waited
 * long enough */
static bool exchange_requarantine(struct hak_thread *thread, unsigned class_index) {
    const uint32_t level = exchange_returned_level(thread, class_index);
    if (level < exchange_swap_least(thread, class_index) ||
        !sampling_may_load(thread, class_index, exchange_capacity(thread, class_index))) {
        return false;
    }
    void **base = hak_load_relaxed(&thread->returned[class_index]) - level;
    void **loaded = hak_load_relaxed(&thread->loaded[class_index]);
    const uint32_t left = hak_quarantine_pass(class_index, thread->number, base, level, loaded);
    hak_store_release(&thread->loaded[class_index], loaded + left);
    hak_store_release(&thread->returned[class_index], base);
    thread->classes[class_index].loaded_zeroed = false;
    return left > 0;
}

/* Loads the youngest magazine of the stash. */
static void exchange_unstash(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    void **emptied = stash_storage(hak_load_relaxed(&thread->loaded[class_index]));
    hak_store_release(&thread->loaded[class_index], stash_full_top(hak_stash_take(thread, class_index, emptied)));
    own->loaded_zeroed = false;
    exchange_charge(thread, class_index, LADDER_WORK_STASH, 1);
}

/* Gives up the second active slab if it has run dry and a drain now finds an eighth of it free: it goes to the lists, or back to
 * the regions, and no longer waits for a third slab. Only where `promote` says so. */
static void exchange_promote(struct hak_thread *thread, unsigned class_index) {
    struct slab **active = thread->classes[class_index].active;
    exchange_assert_held(thread, class_index);
    if (active[1] != NULL && active[1]->free_count == 0 &&
        8 * hak_slab_drain(active[1], class_index) >= hak_classes[class_index].blocks) {
        hak_slab_detach(active[1], class_index);
        active[1] = NULL;
    }
}

void hak_exchange_drain(struct hak_thread *thread, unsigned class_index) {
    exchange_open(thread);
    exchange_hold(thread, class_index);
    if (ladder_promotes_at_once()) {
        exchange_promote(thread, class_index);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct slab *slab = thread->classes[class_index].active[i];
        if (slab != NULL) {
            hak_slab_drain(slab, class_index);
        }
    }
    exchange_let_go(thread, class_index);
    exchange_leave(thread);
}

/* NULL: no memory */
static struct slab *exchange_new_slab(struct hak_thread *thread, unsigned class_index) {
    hak_exchange_flush_before_growth(thread, class_index);
    struct slab *slab = hak_slab_create(class_index, thread->number);
    if (slab != NULL && slab->zeroed) {
        thread->grown += (size_t)hak_classes[class_index].chunks * HAK_CHUNK_BYTES;
    }
    return slab;
}

/* A slab of the class with free blocks, which is active[0] afterwards. NULL: no memory, nothing changed */
static struct slab *exchange_active_slab(struct hak_thread *thread, unsigned class_index) {
    struct slab **active = thread->classes[class_index].active;
    exchange_assert_held(thread, class_index);
    for (unsigned i = 0; i < 2; i++) {
        struct slab *slab = active[i];
        if (slab == NULL) {
            continue;
        }
        hak_slab_drain_before_fresh(slab, class_index);
        const bool is_dry = slab->free_count == 0;
        if (!is_dry || hak_slab_drain(slab, class_index) > 0) {
            active[i] = active[0];
            active[0] = slab;
            if (ladder_promotes_at_once() && is_dry) {
                exchange_promote(thread, class_index);
            }
            return slab;
        }
    }
    struct slab *slab = hak_slab_claim(class_index, thread->number);
    if (slab == NULL) {
        slab = exchange_new_slab(thread, class_index);
    }
    if (slab == NULL) {
        return NULL;
    }
    exchange_charge(thread, class_index, LADDER_WORK_SLAB, active[1] != NULL ? 2 : 1);
    if (active[1] != NULL) {
        hak_slab_detach(active[1], class_index);
    }
    active[1] = active[0];
    active[0] = slab;
    return slab;
}

/* How many blocks a refill takes from a slab. The first refill wants a page of blocks, each later one twice as many, up
 * to half a magazine; blocks in the returned magazine are counted against that. */
static uint32_t exchange_next_load(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    const struct hak_class *class = &hak_classes[class_index];
    const uint32_t first = class->block_size >= EXCHANGE_FIRST_BYTES ? 1 : EXCHANGE_FIRST_BYTES / class->block_size;
    const uint32_t doubled = own->batch == 0 ? first : 2u * own->batch;
    const uint32_t half = (exchange_capacity(thread, class_index) + 1) / 2;
    const uint32_t wanted = exchange_refill_size(thread, class_index, first, doubled, half);
    own->batch = (uint8_t)(wanted < half ? wanted : half);
    const uint32_t returned = guard_has(HAK_FEATURE_QUARANTINE) ? 0 : exchange_returned_level(thread, class_index);
    return returned < own->batch ? own->batch - returned : 1;
}

/* Loads blocks from a slab. false: no memory, nothing changed */
static bool exchange_refill(struct hak_thread *thread, unsigned class_index) {
    if (class_index >= HAK_L2_CLASS_FIRST) {
        hak_exchange_flush_unused(thread, class_index);
    }
    struct slab *slab = exchange_active_slab(thread, class_index);
    if (slab == NULL) {
        return false;
    }
    void **base = hak_load_relaxed(&thread->loaded[class_index]);
    const uint32_t fresh_from = slab->fresh_from;
    uint32_t taken = hak_slab_take(slab, class_index, base, exchange_next_load(thread, class_index),
                                   &thread->classes[class_index].loaded_zeroed);
    if (class_index >= HAK_L2_CLASS_FIRST) {
        thread->loaded_above_tiny += (size_t)taken * hak_classes[class_index].block_size;
    }
    hak_store_release(&thread->loaded[class_index], base + taken);
    exchange_charge(thread, class_index, LADDER_WORK_REFILL, 1);
    exchange_charge(thread, class_index, LADDER_WORK_REFILL_BLOCK, taken);
    exchange_populate(thread, class_index, slab, fresh_from);
    return true;
}

/* exchange_refill after memory ran out: first frees every block of the class that waits in the quarantine. */
static bool exchange_refill_waiting(struct hak_thread *thread, unsigned class_index) {
    void *leaving[QUARANTINE_BATCH];
    for (uint32_t count; (count = hak_quarantine_drain(class_index, leaving)) != 0;) {
        hak_count_add(&thread->remote_frees, hak_slab_free_blocks(thread->number, class_index, leaving, count));
    }
    return exchange_refill(thread, class_index);
}

/* Fills the loaded magazine by the first way that works; the table in exchange.h says in which order. false: no
 * memory */
static bool exchange_load_any(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    const uint32_t returned = exchange_returned_level(thread, class_index);
    const bool wants_more = hak_exchange_is_hot(thread, class_index) &&
                            own->batch < exchange_capacity(thread, class_index) / 2 &&
                            exchange_refill_grows(thread, class_index);
    if (guard_has(HAK_FEATURE_QUARANTINE) && exchange_requarantine(thread, class_index)) {
        return true;
    }
    if (returned < exchange_swap_least(thread, class_index) || wants_more || guard_has(HAK_FEATURE_QUARANTINE)) {
        if (own->stashed > 0) {
            exchange_unstash(thread, class_index);
            return true;
        }
        if (exchange_refill(thread, class_index)) {
            return true;
        }
    }
    if (guard_has(HAK_FEATURE_QUARANTINE) && exchange_returned_level(thread, class_index) == 0) {
        return exchange_refill_waiting(thread, class_index);
    }
    hak_exchange_check_returned(thread, class_index);
    hak_exchange_swap(thread, class_index);
    return exchange_loaded_level(thread, class_index) > 0;
}

bool hak_exchange_swap_in_rest(struct hak_thread *thread, unsigned class_index) {
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
    return false;
}

/* A block that passes through no magazine. NULL: no memory */
static HAK_COLD void *exchange_take_one(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    void *p = NULL;
    exchange_hold(thread, class_index);
    struct slab *slab = exchange_active_slab(thread, class_index);
    if (slab != NULL) {
        hak_slab_take(slab, class_index, &p, 1, &own->loaded_zeroed);
    }
    exchange_let_go(thread, class_index);
    if (p != NULL && exchange_counts()) {
        hak_count_add(&own->allocations, 1);
        exchange_note_class(thread, class_index);
    }
    return p;
}

void *hak_exchange_load(struct hak_thread *thread, unsigned class_index) {
    exchange_enter(thread);
    exchange_count(thread, class_index);
    if (HAK_UNLIKELY(!exchange_fit(thread, class_index))) {
        void *p = exchange_take_one(thread, class_index);
        exchange_note_levels(thread, class_index);
        exchange_leave(thread);
        return p;
    }
    exchange_learn(thread, class_index, ladder_caller());
    thread->classes[class_index].overflows = 0;
    exchange_hold(thread, class_index);
    const bool loaded = exchange_load_any(thread, class_index);
    exchange_let_go(thread, class_index);
    exchange_note_levels(thread, class_index);
    exchange_note_class(thread, class_index);
    exchange_leave(thread);
    return loaded ? magazine_take(class_index) : NULL;
}
