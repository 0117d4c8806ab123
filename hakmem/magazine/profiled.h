/* SPDX-License-Identifier: MIT */
/* The slow path of the slab pools while the profile is on; see profile/profile.h.
 *
 * A thread's class has a number of allocations at which the next sample is due. Where its loaded magazine holds more blocks
 * than are passed over until then, the next one is **parked**: its slot holds NULL, which says empty to the hot path, and
 * the record holds the block. The slow path puts it back, samples, and parks the block at which the next sample is due:
 *
 *     NULL b  b  b  NULL b  b          the magazine's level is 6: a parked block is one of its
 *                        ^  ^
 *                        two allocations are passed over
 *
 * Builds without P3 do not look at the block that they take: there the uppermost blocks leave the magazine instead, as many
 * as are too many. */
#ifndef HAKMEM_MAGAZINE_PROFILED_H
#define HAKMEM_MAGAZINE_PROFILED_H

#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/profile/profile.h"

/* hak_pool_alloc_slow. `caller` is where the program's call returns to, where hak_profile_site says no better. Also while it
 * is not known yet whether there is a profile, and once it is stopped. *zeroed as in hak_pool_alloc_slow_zeroed. NULL with errno
 * ENOMEM. */
HAK_COLD void *hak_profiled_alloc(unsigned class_index, bool *zeroed, const void *caller);

/* Draws when the next sample is due, behind the `made` allocations of the class that the thread made so far. */
HAK_COLD void hak_profiled_draw(struct hak_thread *thread, unsigned class_index, uint64_t made);

/* Allocations of the class that the thread makes before the next sample, by what is in its loaded magazine or from elsewhere.
 * By the thread. */
HAK_ALWAYS_INLINE uint64_t profiled_left(struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_sample *sample = &thread->samples[class_index];
    const struct hak_thread_class *own = &thread->classes[class_index];
    const uint64_t made = own->allocations + own->loaded_level - exchange_loaded_level(thread, class_index);
    /* Drawn for another start of the profile, or not at all, or passed by while it was stopped. */
    if (HAK_UNLIKELY(sample->epoch != hak_load_relaxed(&hak_profile_epoch) || sample->at < made)) {
        hak_profiled_draw(thread, class_index, made);
    }
    return sample->at - made;
}

/* The loaded magazine is whole afterwards. */
HAK_COLD void hak_profiled_unpark(struct hak_thread *thread, unsigned class_index);

/* For exchanges that touch blocks of the loaded magazine elsewhere than at its top. */
HAK_ALWAYS_INLINE void profiled_before_flush(struct hak_thread *thread, unsigned class_index) {
    if (HAK_UNLIKELY(profile_was_on())) {
        hak_profiled_unpark(thread, class_index);
    }
}

/* Whether an exchange within a free, which has counted, may load that many blocks. */
HAK_ALWAYS_INLINE bool profiled_may_load(struct hak_thread *thread, unsigned class_index, uint32_t blocks) {
    if (ladder_reads_slots() || HAK_LIKELY(!profile_is_on())) {
        return true;
    }
    exchange_note_levels(thread, class_index);
    return profiled_left(thread, class_index) >= blocks;
}

/* After it did: parks the block at which the sample is due, if the magazine has it. */
HAK_COLD void hak_profiled_loaded(struct hak_thread *thread, unsigned class_index);

HAK_ALWAYS_INLINE void profiled_after_load(struct hak_thread *thread, unsigned class_index) {
    if (HAK_UNLIKELY(profile_is_on())) {
        hak_profiled_loaded(thread, class_index);
    }
}

/* Takes a block back if it was sampled; of a huge one it only takes note. false: the caller has to free p, if it is a
 * block at all. `caller` is hak_profile_forget's. */
HAK_COLD bool hak_profiled_free_slow(void *p, const void *caller);

HAK_ALWAYS_INLINE bool profiled_free(void *p, const void *caller) {
    return HAK_UNLIKELY(profile_was_on()) && hak_profiled_free_slow(p, caller);
}

#endif
