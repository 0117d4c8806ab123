/* SPDX-License-Identifier: MIT */
/* The slow path of the slab pools while the profile is on: draws which allocation is sampled next, has the magazine look
 * empty there (magazine/sampling.h), and takes sampled blocks from and back to profile.h. Any thread. */
#ifndef HAKMEM_SAMPLE_SAMPLED_H
#define HAKMEM_SAMPLE_SAMPLED_H

#include "hakmem/magazine/sampling.h"
#include "hakmem/sample/profile.h"

/* A block of the class, with its mark in the shadow where it has one. `asked`: bytes that the program asked for. `caller` is where the program's call returns to, where
 * hak_profile_site says no better. Also while it is not known yet whether there is a profile, and once it is stopped. NULL: no
 * memory */
HAK_COLD void *hak_sampled_alloc(unsigned class_index, size_t asked, const void *caller);

/* Takes a block back if it was sampled; of a huge one it only takes note. false: the caller has to free p, if it is a
 * block at all. `caller` is hak_profile_forget's. */
HAK_COLD bool hak_sampled_free_slow(void *p, const void *caller);

HAK_ALWAYS_INLINE bool sampled_free(void *p, const void *caller) {
    return HAK_UNLIKELY(sampling_was_on()) && hak_sampled_free_slow(p, caller);
}

#endif
