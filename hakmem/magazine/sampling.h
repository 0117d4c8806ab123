/* SPDX-License-Identifier: MIT */
/* How the profile gets hold of an allocation that the hot path would serve: what a magazine knows of sampling.
 *
 * A thread's class has a number of allocations at which the next sample is due; sample/sampled.h draws it. Where the loaded
 * magazine holds more blocks than are passed over until then, the next one is **parked**: its slot holds NULL, which the hot
 * path takes for an empty magazine, and the thread's record holds the block. The slow path puts it back, samples, and parks
 * the block at which the next sample is due:
 *
 *     NULL b  b  b  NULL b  b          the magazine's level is 6: a parked block is one of its
 *                        ^  ^
 *                        two allocations are passed over
 *
 * Builds without P3 do not look at the block that they take: there the uppermost blocks leave the magazine instead, as many
 * as are too many. All functions are for the owning thread. */
#ifndef HAKMEM_MAGAZINE_SAMPLING_H
#define HAKMEM_MAGAZINE_SAMPLING_H

#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/magazine/sampling_state.h"

/* Allocations of the class that the thread has made, by what is in its loaded magazine or from elsewhere. */
HAK_ALWAYS_INLINE uint64_t sampling_made(const struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_class *own = &thread->classes[class_index];
    return own->allocations + own->loaded_level - exchange_loaded_level(thread, class_index);
}

/* Whether the number in `sample` still holds: it was drawn for this start of the profile, and not passed by while it was
 * stopped. */
HAK_ALWAYS_INLINE bool sampling_is_drawn(const struct hak_thread_sample *sample, uint64_t made) {
    return sample->epoch == hak_load_relaxed(&hak_sampling_epoch) && sample->at >= made;
}

/* Allocations that are passed over before the slow path has to look: none where nothing is drawn yet. */
HAK_ALWAYS_INLINE uint64_t sampling_left(const struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_sample *sample = &thread->samples[class_index];
    const uint64_t made = sampling_made(thread, class_index);
    return HAK_LIKELY(sampling_is_drawn(sample, made)) ? sample->at - made : 0;
}

/* The same where the loaded magazine is empty and something is drawn; where the magazine is not empty there are more. */
HAK_ALWAYS_INLINE int64_t sampling_left_if_empty(const struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_class *own = &thread->classes[class_index];
    return (int64_t)(thread->samples[class_index].at - own->allocations - own->loaded_level);
}

/* Whether the next sample of the class lies more than a magazine ahead, and no block is parked: then a slow path of malloc
 * goes as if there were no profile. */
HAK_ALWAYS_INLINE bool sampling_is_far(const struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_sample *sample = &thread->samples[class_index];
    /* Relaxed: the owner wrote it. */
    return sampling_is_on() && sample->epoch == hak_load_relaxed(&hak_sampling_epoch) &&
           sampling_left_if_empty(thread, class_index) > MAGAZINE_SLOTS && hak_load_relaxed(&sample->parked) == NULL;
}

/* Parks the block at which the slow path has to look, if the magazine has it; nothing in builds without P3.
 * pre: no block of the magazine is parked */
HAK_COLD void hak_sampling_park(struct hak_thread *thread, unsigned class_index);

/* The loaded magazine is whole afterwards. */
HAK_COLD void hak_sampling_unpark(struct hak_thread *thread, unsigned class_index);

/* For exchanges that touch blocks of the loaded magazine elsewhere than at its top. */
HAK_ALWAYS_INLINE void sampling_before_flush(struct hak_thread *thread, unsigned class_index) {
    /* Relaxed: the owner wrote it. */
    if (HAK_UNLIKELY(sampling_was_on()) && hak_load_relaxed(&thread->samples[class_index].parked) != NULL) {
        hak_sampling_unpark(thread, class_index);
    }
}

/* Whether an exchange within a free, which has counted, may load that many blocks. */
HAK_ALWAYS_INLINE bool sampling_may_load(struct hak_thread *thread, unsigned class_index, uint32_t blocks) {
    if (ladder_reads_slots() || HAK_LIKELY(!sampling_is_on())) {
        return true;
    }
    exchange_note_levels(thread, class_index);
    return sampling_left(thread, class_index) >= blocks;
}

/* After it did. */
HAK_COLD void hak_sampling_loaded(struct hak_thread *thread, unsigned class_index);

HAK_ALWAYS_INLINE void sampling_after_load(struct hak_thread *thread, unsigned class_index) {
    if (HAK_UNLIKELY(sampling_is_on())) {
        hak_sampling_loaded(thread, class_index);
    }
}

#endif
