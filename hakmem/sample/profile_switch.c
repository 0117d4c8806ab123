/* SPDX-License-Identifier: MIT */
/* See profile.h: the profile is switched on, off, and to another rate, while threads allocate.
 *
 * A thread draws its next sample without a lock, by the rate and the epoch that it sees. Each switch starts an epoch, under all
 * locks, and a sample that was drawn in the one before is dropped when its block is to be entered (due.h). So every record's
 * samples are of its rate, and records of other rates stay as they are. */
#include <errno.h>

#include "hakmem/base/bits.h"
#include "hakmem/base/observer.h"
#include "hakmem/base/options.h"
#include "hakmem/base/random.h"
#include "hakmem/base/warning.h"
#include "hakmem/os/os.h"
#include "hakmem/sample/freed.h"
#include "hakmem/sample/profile.h"
#include "hakmem/sample/profile_state.h"
#include "hakmem/sample/stack_memo.h"
#include "hakmem/sample/tally.h"

static uint64_t profile_seeded; /* atomic; written before the epoch that it is for */

void hak_profile_lock_all(void) {
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        lock_acquire(&hak_profile_classes[class_index].lock);
    }
    lock_acquire(&hak_tally_lock);
}

void hak_profile_unlock_all(void) {
    lock_release(&hak_tally_lock);
    for (unsigned class_index = HAK_CLASS_COUNT; class_index-- > 0;) {
        lock_release(&hak_profile_classes[class_index].lock);
    }
}

static int profile_make_table_locked(void) {
    void *memory;
    int error = hak_profile_samples != NULL ? 0
                                            : hak_os_map(bits_round_up(sizeof *hak_profile_samples, hak_os_page_size()),
                                                         hak_os_page_size(), &memory);
    if (error == 0 && hak_profile_samples == NULL) {
        /* Release: pairs with the acquire of hak_profile_table. */
        hak_store_release(&hak_profile_samples, (struct hak_profile_table *)memory);
    }
    return error;
}

/* Release: pairs with hak_profile_random_of; the seed was written before. */
static void profile_next_epoch_locked(void) {
    hak_store_release(&hak_sampling_epoch, hak_load_relaxed(&hak_sampling_epoch) + 1);
}

/* Writes down what the profile is from now on. `is_whole`: nothing was allocated before. */
static void profile_note_switch_locked(bool is_on, bool is_whole) {
    struct hak_profile_table *table = hak_profile_samples;
    /* Relaxed, all: who draws by them acquires the epoch or the state; for a tool they are a snapshot. */
    hak_store_relaxed(&table->is_on, (uint64_t)is_on);
    hak_store_relaxed(&table->is_whole, (uint64_t)is_whole);
    hak_store_relaxed(&table->switches, hak_load_relaxed(&table->switches) + 1);
    hak_store_relaxed(&table->switched_ms, hak_os_clock_ms());
    observer_note_whole(table);
}

static void profile_switch_on_locked(uint64_t rate, bool is_start) {
    if (hak_load_relaxed(&hak_sampling_state) == SAMPLING_ON && profile_rate() == rate) {
        return; /* a new epoch would drop samples that are due */
    }
    if (HAK_GUARD_EXACT) {
        hak_freed_clear();
    }
    hak_store_relaxed(&hak_profile_samples->rate, rate);
    profile_note_switch_locked(true, is_start);
    profile_next_epoch_locked();
    /* Release: pairs with sampling_is_on. */
    hak_store_release(&hak_sampling_state, (uint32_t)SAMPLING_ON);
}

static int profile_switch_on(uint64_t rate, bool is_start) {
    if (HAK_GUARD_FULL) {
        return ENOTSUP; /* canaries and quarantines are not kept for the profile's own slabs */
    }
    hak_stack_memo_init();
    hak_profile_lock_all();
    const int error = profile_make_table_locked();
    if (error == 0) {
        profile_switch_on_locked(rate, is_start);
    }
    hak_profile_unlock_all();
    return error;
}

int hak_profile_turn_on(uint64_t rate) { return profile_switch_on(rate, false); }

void hak_profile_turn_off(void) {
    hak_profile_lock_all();
    if (hak_load_relaxed(&hak_sampling_state) == SAMPLING_ON) {
        hak_store_relaxed(&hak_sampling_state, (uint32_t)SAMPLING_STOPPED);
        profile_note_switch_locked(false, false);
    }
    hak_profile_unlock_all();
}

void hak_profile_show_whole(void) {
    hak_profile_lock_all();
    observer_note_whole(hak_profile_samples);
    hak_profile_unlock_all();
}

void hak_profile_init(void) {
    const bool is_wanted = hak_options.profile[0] != '\0' || hak_options.leaks;
    hak_store_relaxed(&hak_sampling_state, (uint32_t)SAMPLING_NEVER);
    hak_profile_seed(hak_os_clock_ms());
    if (is_wanted || hak_options.publish) {
        /* Who publishes may be told to switch it on later, when it is too late to see what was there from the start. */
        hak_misuse_sites_of = hak_profile_misuse_sites;
        hak_stack_memo_note_start();
    }
    if (is_wanted) {
        const uint64_t rate = hak_options.profile_rate != 0 ? (uint64_t)hak_options.profile_rate
                              : hak_options.leaks           ? 1
                                                            : PROFILE_RATE_DEFAULT;
        if (profile_switch_on(rate, true) != 0) {
            hak_report_warning("there is no profile: no memory, or a full guard build, which has none", NULL, NULL);
        }
    }
}

uint64_t hak_profile_random_of(uint32_t thread_number) {
    /* Acquire: pairs with the next epoch; the seed is of that start, or of a later one. */
    const uint64_t epoch = hak_load_acquire(&hak_sampling_epoch);
    return random_mix(random_mix(hak_load_relaxed(&profile_seeded) + thread_number) + epoch) | 1;
}

void hak_profile_seed(uint64_t seed) {
    hak_profile_lock_all();
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        hak_profile_classes[class_index].random = random_mix(seed + ((uint64_t)class_index << 48)) | 1;
    }
    hak_store_relaxed(&profile_seeded, random_mix(seed) | 1);
    profile_next_epoch_locked();
    hak_profile_unlock_all();
}
