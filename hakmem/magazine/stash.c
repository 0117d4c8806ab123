/* SPDX-License-Identifier: MIT */
/* Two lists a class, of full and of emptied magazines; see stash.h. */
#include "hakmem/magazine/stash.h"

#include "hakmem/base/assert.h"
#include "hakmem/misuse/misuse.h"

/* A magazine that a list leads to, or NULL: one of the record's own, or the link was overwritten. */
static void **stash_expect_own(const struct hak_thread *thread, void **storage) {
    const uintptr_t at = (uintptr_t)storage - (uintptr_t)thread->magazines;
    if (HAK_UNLIKELY(storage != NULL && (at >= sizeof thread->magazines || at % MAGAZINE_BYTES != 0))) {
        hak_report_corruption("thread", thread, "its stash leads out of its magazines");
    }
    return storage;
}

/* The list's next magazine. */
static void **stash_next(const struct hak_thread *thread, void **storage) {
    return stash_expect_own(thread, (void **)storage[0]);
}

/* Stores to lists and slots are relaxed: only the owner writes them. hak_walk may follow the list and read the slots
 * meanwhile; it learns from the sequence that they changed. */
static void stash_push(void ***list, void **storage) {
    hak_store_relaxed(&storage[0], (void *)*list);
    hak_store_relaxed(list, storage);
}

static void **stash_pop(const struct hak_thread *thread, void ***list) {
    void **storage = stash_expect_own(thread, *list);
    hak_store_relaxed(list, stash_next(thread, storage));
    return storage;
}

static void stash_count(struct hak_thread *thread, unsigned class_index, int change) {
    struct hak_thread_class *own = &thread->classes[class_index];
    hak_store_release(&own->stashed, (uint8_t)(own->stashed + change));
}

void **hak_stash_make_room(struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_class *own = &thread->classes[class_index];
    if (own->unused_slots != 0 || own->loaded_unused != 0 || own->stashed >= hak_classes[class_index].stash) {
        return NULL;
    }
    struct hak_thread_stash *stash = &thread->stashes[class_index];
    if (stash->emptied != NULL) {
        return stash_pop(thread, &stash->emptied);
    }
    if (thread->spares_used == THREAD_SPARES) {
        return NULL;
    }
    thread->spares_used++;
    return record_new_magazine(thread, hak_classes[class_index].magazine) -
           (MAGAZINE_SLOTS - hak_classes[class_index].magazine);
}

void hak_stash_put(struct hak_thread *thread, unsigned class_index, void **storage) {
    stash_push(&thread->stashes[class_index].full, storage);
    stash_count(thread, class_index, 1);
}

void **hak_stash_take(struct hak_thread *thread, unsigned class_index, void **emptied) {
    void **storage = stash_pop(thread, &thread->stashes[class_index].full);
    hak_stash_put_back(thread, class_index, emptied);
    stash_count(thread, class_index, -1);
    return storage;
}

void **hak_stash_take_oldest(struct hak_thread *thread, unsigned class_index) {
    HAK_ASSERT(thread->classes[class_index].stashed > 0);
    void ***link = &thread->stashes[class_index].full;
    while (stash_next(thread, stash_expect_own(thread, *link)) != NULL) {
        link = (void ***)*link;
    }
    stash_count(thread, class_index, -1);
    return stash_pop(thread, link);
}

void hak_stash_put_back(struct hak_thread *thread, unsigned class_index, void **storage) {
    stash_push(&thread->stashes[class_index].emptied, storage);
}
