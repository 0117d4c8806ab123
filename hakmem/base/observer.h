/* SPDX-License-Identifier: MIT */
/* Callbacks by which lower layers notify observe/ without including it.
 *
 * observe/ sets the table when the library is loaded; until then a notification does nothing. Thread-safe. */
#ifndef HAKMEM_BASE_OBSERVER_H
#define HAKMEM_BASE_OBSERVER_H

#include "hakmem/base/atomic.h"

struct hak_profile_table;

struct hak_observer {
    /* Record number `index` of the profile has changed. Called under the profile lock. */
    void (*sample)(const struct hak_profile_table *table, uint32_t index);
    /* The sampling rate has changed, and any record may have changed with it. Called under the profile lock. */
    void (*rate)(const struct hak_profile_table *table);
    /* This process is the child of a fork. `is_whole`: the fork did not interrupt a change of the profile. */
    void (*fork_child)(bool is_whole);
};

extern const struct hak_observer *hak_observer; /* atomic */

/* Release: pairs with the acquire loads below. */
HAK_ALWAYS_INLINE void observer_set(const struct hak_observer *observer) { hak_store_release(&hak_observer, observer); }

HAK_ALWAYS_INLINE void observer_note_sample(const struct hak_profile_table *table, uint32_t index) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    if (observer != NULL) {
        observer->sample(table, index);
    }
}

HAK_ALWAYS_INLINE void observer_note_rate(const struct hak_profile_table *table) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    if (observer != NULL) {
        observer->rate(table);
    }
}

HAK_ALWAYS_INLINE void observer_note_fork_child(bool is_whole) {
    const struct hak_observer *observer = hak_load_acquire(&hak_observer);
    if (observer != NULL) {
        observer->fork_child(is_whole);
    }
}

#endif
