/* SPDX-License-Identifier: MIT */
/* See exchange_check.h. */
#include "hakmem/magazine/exchange_check.h"

#include <string.h>

#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/magazine/stash.h"
#include "hakmem/misuse/misuse.h"

HAK_STATIC_ASSERT(HAK_RECIPROCAL_SHIFT == 32, "the low half of offset * reciprocal is what is left over");

/* A stamp that no entry of the table has. Stamps of earlier checks stay in it and mean nothing. */
static uint8_t check_new_stamp(struct hak_thread *thread) {
    if (HAK_UNLIKELY(++thread->check_stamp == 0)) {
        memset(thread->check_stamps, 0, sizeof thread->check_stamps);
        thread->check_stamp = 1;
    }
    return thread->check_stamp;
}

/* Index of the entry for a pointer, by its low half. Neighbouring blocks have different entries, so that few pointers
 * share one. */
HAK_ALWAYS_INLINE uint32_t check_index(uint32_t low) { return low * 2654435769u >> (32 - THREAD_CHECK_BITS); }

static uint8_t *check_entry(struct hak_thread *thread, const void *p) {
    return &thread->check_stamps[check_index((uint32_t)(uintptr_t)p)];
}

static HAK_NOINLINE bool check_has(void *const *slots, uint32_t count, const void *p) {
    for (uint32_t i = 0; i < count; i++) {
        if (slots[i] == p) {
            return true;
        }
    }
    return false;
}

struct check_look {
    uint8_t *stamps;
    void *const *slots;
    uint32_t reciprocal;
    uint8_t stamp;
};

/* The ordinary check of one slot. */
HAK_ALWAYS_INLINE bool check_slot(const struct check_look *look, void *const *slot) {
    const uint32_t low = (uint32_t)(uintptr_t)*slot;
    uint8_t *const entry = &look->stamps[check_index(low)];
    /* offset * reciprocal is block index and fraction; a fraction as large as the reciprocal is no start of a block. */
    const uint32_t left = (low & (HAK_CHUNK_BYTES - 1)) * look->reciprocal;
    if (HAK_UNLIKELY(left >= look->reciprocal) ||
        HAK_UNLIKELY(*entry == look->stamp && check_has(look->slots, (uint32_t)(slot - look->slots), *slot))) {
        return false;
    }
    *entry = look->stamp;
    return true;
}

/* The ordinary check of `count` pointers, at least one. pre: a slab of the class is one chunk */
static bool check_ordinary(struct hak_thread *thread, unsigned class_index, void *const *slots, uint32_t count) {
    const struct check_look look = {.slots = slots,
                                    .reciprocal = hak_classes[class_index].reciprocal,
                                    .stamp = check_new_stamp(thread),
                                    .stamps = thread->check_stamps};
    void *const *slot = slots, *const *const end = slots + count;
    if (count % 2 != 0 && HAK_UNLIKELY(!check_slot(&look, slot++))) {
        return false;
    }
    /* Two at a time: the loop itself is a fifth of the work. */
    for (; slot != end; slot += 2) {
        if (HAK_UNLIKELY(!check_slot(&look, slot)) || HAK_UNLIKELY(!check_slot(&look, slot + 1))) {
            return false;
        }
    }
    return true;
}

static void check_report(enum hak_misuse kind, const void *p, unsigned class_index) {
    hak_report_misuse_of(&(struct hak_misuse_report){
        .kind = kind, .operation = "free", .p = p, .block_size = hak_classes[class_index].block_size, .is_late = true});
}

/* Whether p lies in the loaded magazine or the stash. */
static bool check_is_elsewhere(struct hak_thread *thread, unsigned class_index, const void *p) {
    const struct hak_thread_class *own = &thread->classes[class_index];
    const uint32_t loaded = exchange_loaded_level(thread, class_index);
    if (check_has(hak_load_relaxed(&thread->loaded[class_index]) - loaded, loaded, p)) {
        return true;
    }
    void **storage = thread->stashes[class_index].full;
    for (uint32_t i = 0; i < own->stashed; i++, storage = (void **)storage[0]) {
        if (check_has(stash_base(storage, class_index), hak_classes[class_index].magazine, p)) {
            return true;
        }
    }
    return false;
}

static void check_stamp_slots(struct hak_thread *thread, void *const *slots, uint32_t count, uint8_t stamp) {
    for (uint32_t i = 0; i < count; i++) {
        *check_entry(thread, slots[i]) = stamp;
    }
}

/* Stamps the blocks in the loaded magazine and the stash. */
static void check_stamp_others(struct hak_thread *thread, unsigned class_index, uint8_t stamp) {
    const uint32_t loaded = exchange_loaded_level(thread, class_index);
    check_stamp_slots(thread, hak_load_relaxed(&thread->loaded[class_index]) - loaded, loaded, stamp);
    uint32_t left = thread->classes[class_index].stashed;
    if (left == 0) {
        return; /* without a look at the list, which lies in a page that most threads never touch */
    }
    for (void **storage = thread->stashes[class_index].full; left > 0; left--, storage = (void **)storage[0]) {
        check_stamp_slots(thread, stash_base(storage, class_index), hak_classes[class_index].magazine, stamp);
    }
}

/* The thorough check of one pointer, against `kept` ones before it that are good. */
static bool check_is_good(struct hak_thread *thread, unsigned class_index, void *const *slots, uint32_t kept, void *p,
                          uint8_t stamp) {
    uint8_t *const entry = check_entry(thread, p);
    enum hak_misuse wrong;
    if (!hak_slab_is_taken(p, class_index, &wrong)) {
        check_report(wrong, p, class_index);
        return false;
    }
    if (*entry == stamp && (check_has(slots, kept, p) || check_is_elsewhere(thread, class_index, p))) {
        check_report(HAK_MISUSE_DOUBLE_FREE, p, class_index);
        return false;
    }
    *entry = stamp;
    return true;
}

/* Checks the returned magazine thoroughly: reports what is wrong and takes it out. */
static HAK_NOINLINE void check_thorough(struct hak_thread *thread, unsigned class_index) {
    const uint32_t level = exchange_returned_level(thread, class_index);
    void **const slots = hak_load_relaxed(&thread->returned[class_index]) - level;
    const uint8_t stamp = check_new_stamp(thread);
    uint32_t kept = 0;
    check_stamp_others(thread, class_index, stamp);
    for (uint32_t i = 0; i < level; i++) {
        void *const p = slots[i];
        if (check_is_good(thread, class_index, slots, kept, p, stamp)) {
            /* Relaxed: hak_walk may read it. */
            hak_store_relaxed(&slots[kept++], p);
        }
    }
    hak_store_release(&thread->returned[class_index], slots + kept);
}

enum check_depth { CHECK_NOTHING, CHECK_ORDINARY, CHECK_THOROUGH };

/* Which check this exchange of the class does. */
static enum check_depth check_next(struct hak_thread_class *own, const struct hak_class *constants) {
    own->checks = own->checks == UINT8_MAX ? CHECK_FIRST : (uint8_t)(own->checks + 1);
    if (own->checks < CHECK_FIRST || own->checks % CHECK_THOROUGH_EACH == 0) {
        return CHECK_THOROUGH;
    }
    if (HAK_LIKELY(own->checks % CHECK_ORDINARY_EACH != 0)) {
        return CHECK_NOTHING;
    }
    return constants->chunks > 1 || constants->blocks == 1 ? CHECK_THOROUGH : CHECK_ORDINARY;
}

void hak_exchange_check_returned(struct hak_thread *thread, unsigned class_index) {
    const uint32_t level = exchange_returned_level(thread, class_index);
    if (HAK_GUARD_EXACT || level == 0) {
        return;
    }
    const enum check_depth depth = check_next(&thread->classes[class_index], &hak_classes[class_index]);
    if (depth == CHECK_THOROUGH ||
        (depth == CHECK_ORDINARY &&
         !check_ordinary(thread, class_index, hak_load_relaxed(&thread->returned[class_index]) - level, level))) {
        check_thorough(thread, class_index);
    }
}

void hak_exchange_check_at_exit(void) {
    struct hak_thread *thread = hak_self;
    /* A signal handler may have ended the process in the middle of an exchange. */
    if (HAK_GUARD_EXACT || thread == NULL || thread->sequence % 2 != 0) {
        return;
    }
    exchange_enter(thread);
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        if (exchange_returned_level(thread, class_index) != 0) {
            exchange_count(thread, class_index);
            check_thorough(thread, class_index);
            exchange_note_levels(thread, class_index);
        }
    }
    exchange_leave(thread);
}
