/* The exchanges that touch slabs; see exchange.h. */
#include "hakmem/magazine/exchange.h"

#include <string.h>

#include "hakmem/base/assert.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/magazine/profiled.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/stash.h"

/* A slab of the class with free blocks, as active[0]. NULL: no memory, nothing changed */
static struct slab *exchange_active_slab(struct hak_thread *thread, unsigned class_index) {
    struct slab **active = thread->classes[class_index].active;
    for (unsigned i = 0; i < 2; i++) {
        struct slab *slab = active[i];
        if (slab == NULL) {
            continue;
        }
        slab_drain_before_fresh(slab);
        if (slab->free_count > 0 || slab_drain(slab) > 0) {
            active[i] = active[0];
            active[0] = slab;
            return slab;
        }
    }
    struct slab *slab = slab_claim(class_index, thread->number);
    if (slab == NULL) {
        slab = slab_create(class_index, thread->number);
    }
    if (slab == NULL) {
        return NULL;
    }
    if (active[1] != NULL) {
        slab_detach(active[1]);
    }
    active[1] = active[0];
    active[0] = slab;
    return slab;
}

/* Returns to the region layer what has no block in use. */
static void exchange_release_empty(struct hak_thread *thread, unsigned class_index) {
    struct slab **active = thread->classes[class_index].active;
    if (active[1] != NULL && slab_release_if_empty(active[1])) {
        active[1] = NULL;
    }
    if (active[0] != NULL && slab_release_if_empty(active[0])) {
        active[0] = active[1];
        active[1] = NULL;
    }
}

static void exchange_free_to_slabs(struct hak_thread *thread, unsigned class_index, void *const *blocks,
                                   uint32_t count) {
    void *leaving[QUARANTINE_BATCH];
    if (HAK_GUARD_FULL && guard_has(HAK_FEATURE_QUARANTINE)) {
        count = quarantine_pass(class_index, thread->number, blocks, count, leaving);
        blocks = leaving;
    }
    hak_count_add(&thread->remote_frees, slab_free_blocks(thread->number, class_index, blocks, count));
}

/* Moves slots of a magazine down, into which hak_walk may look meanwhile: relaxed, as every store to a slot. What moves are
 * whole words at their own alignment, so memmove does it, which is a plain store to ThreadSanitizer only. */
static void exchange_move_slots(void **to, void *const *from, uint32_t count) {
    if (!HAK_THREAD_SANITIZER) {
        memmove(to, from, count * sizeof *to);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        hak_store_relaxed(&to[i], from[i]);
    }
}

/* Frees the oldest half of the returned magazine; what is younger is more likely still in a cache. */
static void exchange_flush_oldest(struct hak_thread *thread, unsigned class_index) {
    const uint32_t level = exchange_returned_level(thread, class_index), half = level / 2;
    void **base = hak_load_relaxed(&thread->returned[class_index]) - level;
    exchange_free_to_slabs(thread, class_index, base, half);
    exchange_move_slots(base, base + half, level - half);
    /* Release: behind the odd sequence of the exchange. */
    hak_store_release(&thread->returned[class_index], base + (level - half));
}

/* Frees a whole magazine. Result: its top afterwards, its base */
static void **exchange_flush_magazine(struct hak_thread *thread, unsigned class_index, void **top) {
    const uint32_t level = magazine_level(top, class_index) - thread->classes[class_index].floor;
    if (level > 0) {
        exchange_free_to_slabs(thread, class_index, top - level, level);
    }
    return top - level;
}

/* Frees all that the thread holds of the class in magazines. */
static void exchange_flush_magazines(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    profiled_before_flush(thread, class_index);
    while (own->stashed > 0) {
        void **storage = stash_take_oldest(thread, class_index);
        (void)exchange_flush_magazine(thread, class_index, stash_full_top(storage));
        stash_put_back(thread, class_index, storage);
    }
    void **loaded = exchange_flush_magazine(thread, class_index, hak_load_relaxed(&thread->loaded[class_index]));
    void **returned = exchange_flush_magazine(thread, class_index, hak_load_relaxed(&thread->returned[class_index]));
    /* Release: behind the odd sequence. */
    hak_store_release(&thread->loaded[class_index], loaded);
    hak_store_release(&thread->returned[class_index], returned);
    own->batch = 0;
}

/* Puts the full returned magazine into the stash and an empty one in its place; where the stash has no room, the oldest
 * magazine in there is freed for it. false: the class has no stash */
static bool exchange_stash(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    void **storage = stash_make_room(thread, class_index);
    if (storage == NULL && own->stashed > 0) {
        storage = stash_take_oldest(thread, class_index);
        (void)exchange_flush_magazine(thread, class_index, stash_full_top(storage));
    }
    if (storage == NULL) {
        return false;
    }
    stash_put(thread, class_index, stash_storage(hak_load_relaxed(&thread->returned[class_index])));
    /* Release: behind the odd sequence. */
    hak_store_release(&thread->returned[class_index], stash_base(storage, class_index));
    return true;
}

/* Loaded and returned magazine change places: no slab is touched. pre: the loaded one is empty */
static void exchange_swap(struct hak_thread *thread, unsigned class_index) {
    void **empty_top = hak_load_relaxed(&thread->loaded[class_index]);
    /* Release: behind the odd sequence. */
    hak_store_release(&thread->loaded[class_index], hak_load_relaxed(&thread->returned[class_index]));
    hak_store_release(&thread->returned[class_index], empty_top);
    thread->classes[class_index].loaded_zeroed = false;
}

/* What came back goes through the quarantine, and what leaves that instead is loaded: as exchange_swap, but for the wait, and
 * no slab is touched either. false: too little came back, or nothing leaves yet; the loaded magazine is still empty */
static bool exchange_requarantine(struct hak_thread *thread, unsigned class_index) {
    const uint32_t level = exchange_returned_level(thread, class_index);
    if (level < exchange_swap_least(thread, class_index) ||
        !profiled_may_load(thread, class_index, exchange_capacity(thread, class_index))) {
        return false;
    }
    void **base = hak_load_relaxed(&thread->returned[class_index]) - level;
    void **loaded = hak_load_relaxed(&thread->loaded[class_index]);
    const uint32_t left = quarantine_pass(class_index, thread->number, base, level, loaded);
    /* Release: behind the odd sequence. */
    hak_store_release(&thread->loaded[class_index], loaded + left);
    hak_store_release(&thread->returned[class_index], base);
    thread->classes[class_index].loaded_zeroed = false;
    return left > 0;
}

/* Moves a magazine down by `shift` slots, into those that were not in use yet. Result: its top */
static void **exchange_move_down(void **top, uint32_t level, uint32_t shift) {
    void **base = top - level - shift;
    exchange_move_slots(base, top - level, level);
    /* A thread that had the record before may have used this slot. Relaxed: hak_walk may look at it. */
    hak_store_relaxed(&base[-1], NULL);
    return base + level;
}

/* Twice the room for both magazines. */
static void exchange_grow(struct hak_thread *thread, unsigned class_index) {
    const uint32_t floor = thread->classes[class_index].floor;
    const uint32_t capacity = exchange_capacity(thread, class_index);
    const uint32_t shift = capacity < floor ? capacity : floor;
    void **loaded = exchange_move_down(hak_load_relaxed(&thread->loaded[class_index]),
                                       exchange_loaded_level(thread, class_index), shift);
    void **returned = exchange_move_down(hak_load_relaxed(&thread->returned[class_index]),
                                         exchange_returned_level(thread, class_index), shift);
    /* Release, all: behind the odd sequence. */
    hak_store_release(&thread->loaded[class_index], loaded);
    hak_store_release(&thread->returned[class_index], returned);
    hak_store_release(&thread->classes[class_index].floor, (uint8_t)(floor - shift));
}

/* Notes an exchange of the class. Result: it is one of those that the thread exchanges most; it has more room then, and
 * is to get more blocks. What is rarely exchanged stays small, however many classes there are. */
static bool exchange_note_turn(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    if (++own->turns < EXCHANGE_TURNS) {
        return false;
    }
    const bool often = (uint16_t)(thread->exchanges - own->since) <= EXCHANGE_TURNS_AMONG;
    own->turns = 0;
    own->since = (uint16_t)thread->exchanges;
    if (often && own->floor > 0) {
        exchange_grow(thread, class_index);
    }
    return often;
}

void *exchange_alloc(unsigned class_index) {
    struct hak_thread *thread = thread_begin();
    if (HAK_UNLIKELY(thread == NULL)) {
        return shared_alloc(class_index);
    }
    /* Its thread may have begun just now. */
    void *p = magazine_take(class_index);
    return p != NULL ? p : exchange_alloc_begun(thread, class_index);
}

void exchange_free(unsigned class_index, void *p) {
    struct hak_thread *thread = thread_begin();
    if (HAK_UNLIKELY(thread == NULL)) {
        shared_free(class_index, p);
    } else if (!magazine_push(class_index, p)) {
        exchange_free_begun(thread, class_index, p);
    }
}

/* Bytes in the magazines of the classes above tiny. */
static size_t exchange_large_bytes(const struct hak_thread *thread) {
    size_t bytes = 0;
    for (unsigned class_index = HAK_L2_CLASS_FIRST; class_index < HAK_CLASS_COUNT; class_index++) {
        const uint32_t blocks =
            exchange_loaded_level(thread, class_index) + exchange_returned_level(thread, class_index);
        bytes += (size_t)blocks * hak_classes[class_index].block_size;
    }
    return bytes;
}

/* Whether a thread whose returned magazine is full is to keep nothing of the class: it allocated none since its magazines
 * were last emptied, or let all of them fill up in between, or holds too much in large blocks. */
static bool exchange_gives_up(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    return own->batch == 0 || own->overflows++ > hak_classes[class_index].stash + 1u ||
           (guard_has(HAK_FEATURE_QUARANTINE) && exchange_returned_level(thread, class_index) < 2) ||
           (class_index >= HAK_L2_CLASS_FIRST && exchange_loaded_level(thread, class_index) > 0 &&
            exchange_large_bytes(thread) > EXCHANGE_LARGE_BYTES);
}

static void exchange_give_up_slabs(struct hak_thread_class *own) {
    for (unsigned i = 0; i < 2; i++) {
        if (own->active[i] != NULL) {
            slab_detach(own->active[i]);
            own->active[i] = NULL;
        }
    }
}

/* pre: the returned magazine is full. It is not afterwards. */
static void exchange_make_room(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    if (exchange_gives_up(thread, class_index)) {
        exchange_flush_magazines(thread, class_index);
        exchange_give_up_slabs(own);
        own->overflows = 0;
        return;
    } else if (guard_has(HAK_FEATURE_QUARANTINE)) {
        exchange_flush_oldest(thread, class_index); /* what came back is not given out before it has waited */
    } else if (exchange_loaded_level(thread, class_index) == 0 &&
               profiled_may_load(thread, class_index, exchange_capacity(thread, class_index))) {
        exchange_swap(thread, class_index);
        profiled_after_load(thread, class_index);
        return;
    } else if (!exchange_stash(thread, class_index)) {
        exchange_flush_oldest(thread, class_index);
    }
    exchange_release_empty(thread, class_index);
}

void *exchange_alloc_alone(struct hak_thread *thread, unsigned class_index) {
    void *p = NULL;
    exchange_enter(thread);
    struct slab *slab = slab_create(class_index, thread->number);
    if (slab != NULL) {
        slab_take(slab, &p, 1, &thread->classes[class_index].loaded_zeroed);
        slab_detach(slab);
        if (HAK_P1_BATCHED_STATS || profile_is_on()) {
            hak_count_add(&thread->classes[class_index].allocations, 1);
        }
    }
    exchange_leave(thread);
    return p;
}

static void exchange_free_alone(struct hak_thread *thread, unsigned class_index, void *p) {
    exchange_enter(thread);
    exchange_free_remote(class_index, p);
    exchange_leave(thread);
}

void exchange_free_begun(struct hak_thread *thread, unsigned class_index, void *p) {
    if (exchange_is_alone(class_index)) {
        exchange_free_alone(thread, class_index, p);
        return;
    }
    exchange_enter(thread);
    exchange_count(thread, class_index);
    (void)exchange_note_turn(thread, class_index);
    if (exchange_returned_level(thread, class_index) == exchange_capacity(thread, class_index)) {
        exchange_make_room(thread, class_index);
    }
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
    bool pushed = magazine_push(class_index, p);
    HAK_ASSERT(pushed);
    (void)pushed;
}

void exchange_free_remote(unsigned class_index, void *p) {
    struct hak_thread *thread = hak_self;
    exchange_free_to_slabs(thread, class_index, &p, 1);
    if (HAK_P1_BATCHED_STATS) {
        hak_count_add(&thread->classes[class_index].frees, 1);
    }
}

static void exchange_flush_class(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    exchange_count(thread, class_index);
    exchange_flush_magazines(thread, class_index);
    exchange_note_levels(thread, class_index);
    exchange_give_up_slabs(own);
}

/* Whether there is anything to flush; what came back did not need an exchange to be there. */
static bool exchange_holds_any(const struct hak_thread *thread, unsigned class_index) {
    return thread->classes[class_index].active[0] != NULL || exchange_returned_level(thread, class_index) > 0 ||
           exchange_loaded_level(thread, class_index) > 0;
}

/* Keeps the bytes in a thread's large magazines within bounds: what a class was used for once, by a buffer that grew
 * through it say, goes back. Classes in use stay, or each would empty the others' magazines in turn. */
static void exchange_bound(struct hak_thread *thread, unsigned current) {
    /* The sum over all classes costs more than a refill of small blocks; so many bytes later is soon enough, and a class
     * that is in use is loaded in between. */
    if (thread->large_loaded_bytes < EXCHANGE_LARGE_BYTES) {
        return;
    }
    thread->large_loaded_bytes = 0;
    if (exchange_large_bytes(thread) <= EXCHANGE_LARGE_BYTES) {
        return;
    }
    for (unsigned class_index = HAK_L2_CLASS_FIRST; class_index < HAK_CLASS_COUNT; class_index++) {
        struct hak_thread_class *own = &thread->classes[class_index];
        if (!own->recent && class_index != current && exchange_holds_any(thread, class_index)) {
            exchange_flush_class(thread, class_index);
        }
        own->recent = false;
    }
}

/* How many blocks a refill loads: a page's worth at first, then twice as many each time, up to half a magazine. Those
 * that came back are among them. */
static uint32_t exchange_next_load(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    const struct hak_class *class = &hak_classes[class_index];
    const uint32_t first = class->block_size >= EXCHANGE_FIRST_BYTES ? 1 : EXCHANGE_FIRST_BYTES / class->block_size;
    const uint32_t wanted = own->batch == 0 ? first : 2u * own->batch;
    const uint32_t half = (exchange_capacity(thread, class_index) + 1) / 2;
    own->batch = (uint8_t)(wanted < half ? wanted : half);
    const uint32_t returned =
        guard_has(HAK_FEATURE_QUARANTINE) ? 0 : exchange_returned_level(thread, class_index);
    return returned < own->batch ? own->batch - returned : 1;
}

/* false: no memory, nothing changed */
static bool exchange_refill(struct hak_thread *thread, unsigned class_index) {
    if (class_index >= HAK_L2_CLASS_FIRST) {
        exchange_bound(thread, class_index);
    }
    struct slab *slab = exchange_active_slab(thread, class_index);
    if (slab == NULL) {
        return false;
    }
    void **base = hak_load_relaxed(&thread->loaded[class_index]);
    uint32_t taken = slab_take(slab, base, exchange_next_load(thread, class_index),
                               &thread->classes[class_index].loaded_zeroed);
    if (class_index >= HAK_L2_CLASS_FIRST) {
        thread->large_loaded_bytes += (size_t)taken * hak_classes[class_index].block_size;
    }
    /* Release: behind the odd sequence of the exchange. */
    hak_store_release(&thread->loaded[class_index], base + taken);
    return true;
}

/* Loads the youngest magazine of the stash. */
static void exchange_unstash(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    void **emptied = stash_storage(hak_load_relaxed(&thread->loaded[class_index]));
    /* Release: behind the odd sequence. */
    hak_store_release(&thread->loaded[class_index], stash_full_top(stash_take(thread, class_index, emptied)));
    own->loaded_zeroed = false;
}

/* exchange_refill once there is no memory but what waits in the quarantine: all of the class waited long enough then. */
static bool exchange_refill_waiting(struct hak_thread *thread, unsigned class_index) {
    void *leaving[QUARANTINE_BATCH];
    for (uint32_t count; (count = quarantine_drain(class_index, leaving)) != 0;) {
        hak_count_add(&thread->remote_frees, slab_free_blocks(thread->number, class_index, leaving, count));
    }
    return exchange_refill(thread, class_index);
}

/* false: no memory */
static bool exchange_load_any(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    const uint32_t returned = exchange_returned_level(thread, class_index);
    const bool wants_more = exchange_note_turn(thread, class_index) && own->batch < hak_classes[class_index].magazine / 2;
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
    exchange_swap(thread, class_index);
    return returned > 0;
}

bool exchange_load(struct hak_thread *thread, unsigned class_index) {
    exchange_enter(thread);
    exchange_count(thread, class_index);
    thread->classes[class_index].overflows = 0;
    const bool loaded = exchange_load_any(thread, class_index);
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
    return loaded;
}

void *exchange_alloc_limited(struct hak_thread *thread, unsigned class_index) {
    void *p = magazine_take(class_index);
    return p == NULL && exchange_load(thread, class_index) ? magazine_take(class_index) : p;
}

void exchange_flush(struct hak_thread *thread) {
    exchange_enter(thread);
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        exchange_flush_class(thread, class_index);
    }
    exchange_leave(thread);
}
