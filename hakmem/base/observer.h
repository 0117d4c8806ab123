/* SPDX-License-Identifier: MIT */
/* Callbacks by which lower layers notify observe/ without including it.
 *
 * observe/ sets the table when the library is loaded; until then a notification does nothing. Thread-safe. */
#ifndef HAKMEM_BASE_OBSERVER_H
#define HAKMEM_BASE_OBSERVER_H

#include "hakmem/base/atomic.h"

struct hak_profile_table;

struct hak_observer {
    /* The counts of the profile's record `index` have changed; PROFILE_RECORDS: only those of lost samples. Called under one lock
     * of the profile. Result: whether `whole` has to be called, without that lock. */
    bool (*sample)(const struct hak_profile_table *table, uint32_t index);
    /* Record `index` is new, and the last one. Called under the records lock; others may count in the record already. */
    void (*record)(const struct hak_profile_table *table, uint32_t index);
    /* Anything may have changed. Called under all locks of the profile. */
    void (*whole)(const struct hak_profile_table *table);
    /* This process is the child of a fork. `is_whole`: the fork did not interrupt a change of the profile. */
    void (*fork_child)(bool is_whole);
    /* This process is a child that no handler of fork saw. Called once, by one of its threads, from a poll that may be its first. */
    void (*unseen_child)(void);
    /* The process ends by exit; nothing of the program runs any more but other threads. */
    void (*end)(void);
};

extern const struct hak_observer *hak_observer; /* atomic */

/* Release: pairs with the acquire loads below. */
HAK_ALWAYS_INLINE void observer_set(const struct hak_observer *observer) { hak_store_release(&hak_observer, observer); }

HAK_ALWAYS_INLINE bool observer_note_sample(const struct hak_profile_table *table, uint32_t index) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    return observer != NULL && observer->sample(table, index);
}

HAK_ALWAYS_INLINE void observer_note_record(const struct hak_profile_table *table, uint32_t index) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    if (observer != NULL) {
        observer->record(table, index);
    }
}

HAK_ALWAYS_INLINE void observer_note_whole(const struct hak_profile_table *table) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    if (observer != NULL) {
        observer->whole(table);
    }
}

HAK_ALWAYS_INLINE void observer_note_fork_child(bool is_whole) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    if (observer != NULL) {
        observer->fork_child(is_whole);
    }
}

HAK_ALWAYS_INLINE void observer_note_unseen_child(void) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    if (observer != NULL) {
        observer->unseen_child();
    }
}

HAK_ALWAYS_INLINE void observer_note_end(void) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    if (observer != NULL) {
        observer->end();
    }
}

#endif
