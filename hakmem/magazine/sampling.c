/* SPDX-License-Identifier: MIT */
/* See sampling.h. */
#include "hakmem/magazine/sampling.h"

uint32_t hak_sampling_state = SAMPLING_UNKNOWN;
uint32_t hak_sampling_epoch;

void hak_sampling_park(struct hak_thread *thread, unsigned class_index) {
    const uint64_t left = sampling_left(thread, class_index);
    const uint32_t level = exchange_loaded_level(thread, class_index);
    if (ladder_reads_slots() && HAK_UNLIKELY(left < level)) {
        struct hak_thread_sample *sample = &thread->samples[class_index];
        void **slot = hak_load_relaxed(&thread->loaded[class_index]) - 1 - left;
        sample->parked_at = (uint16_t)(level - 1 - (uint32_t)left);
        /* Release, both: the child of a fork in between finds the block in two places, not in none. */
        hak_store_release(&sample->parked, *slot);
        hak_store_release(slot, (void *)NULL);
    }
}

void hak_sampling_unpark(struct hak_thread *thread, unsigned class_index) {
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

void hak_sampling_loaded(struct hak_thread *thread, unsigned class_index) {
    exchange_note_levels(thread, class_index);
    hak_sampling_park(thread, class_index);
}
