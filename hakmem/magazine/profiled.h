/* The slow path of the slab pools while the profile is on; see profile/profile.h.
 *
 * A thread's class has a number of allocations at which the next sample is due. Its loaded magazine never holds more
 * blocks than are passed over until then, so the sampled allocation finds it empty and comes here. */
#ifndef HAKMEM_MAGAZINE_PROFILED_H
#define HAKMEM_MAGAZINE_PROFILED_H

#include "hakmem/magazine/exchange.h"
#include "hakmem/profile/profile.h"

/* pool_alloc_slow. `caller` is where the program's call returns to, where hak_profile_site says no better. Also while it
 * is not known yet whether there is a profile. NULL with errno ENOMEM. */
HAK_COLD void *profiled_alloc(unsigned class_index, const void *caller);

/* The next sample is due so many allocations from number `from` on as chance says. */
HAK_COLD void profiled_draw(struct hak_thread *thread, unsigned class_index, uint64_t from);

/* Allocations of the class that the thread makes before the next sample, by what is in its loaded magazine or from elsewhere.
 * By the thread. */
HAK_ALWAYS_INLINE uint64_t profiled_left(struct hak_thread *thread, unsigned class_index) {
    const struct hak_thread_sample *sample = &thread->samples[class_index];
    const struct hak_thread_class *own = &thread->classes[class_index];
    const uint64_t made =
        own->allocations + own->loaded_level - exchange_loaded_level(thread, class_index);
    /* Drawn for another start of the profile, or not at all, or passed by while it was stopped. */
    if (HAK_UNLIKELY(sample->epoch != hak_load_relaxed(&hak_profile_epoch) || sample->at < made)) {
        profiled_draw(thread, class_index, made);
    }
    return sample->at - made;
}

/* Whether the thread may have so many more blocks in its loaded magazine, which is empty. */
HAK_ALWAYS_INLINE bool profiled_may_load(struct hak_thread *thread, unsigned class_index, uint32_t blocks) {
    return HAK_LIKELY(!profile_is_on()) || profiled_left(thread, class_index) >= blocks;
}

/* Takes a block back if it was sampled; of a huge one it only takes note. false: the caller has to free p, if it is a
 * block at all. */
HAK_COLD bool profiled_free_slow(void *p);

HAK_ALWAYS_INLINE bool profiled_free(void *p) { return HAK_UNLIKELY(profile_was_on()) && profiled_free_slow(p); }

#endif
