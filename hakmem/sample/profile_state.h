/* SPDX-License-Identifier: MIT */
/* What the profile's files share: the classes with their locks, and the table. */
#ifndef HAKMEM_SAMPLE_PROFILE_STATE_H
#define HAKMEM_SAMPLE_PROFILE_STATE_H

#include "hakmem/base/lock.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/sample/record.h"
#include "hakmem/size_class/size_class.h"
#include "hakmem/slab/list.h"

/* Sampled blocks of a class; of class 0, huge ones. */
struct profile_class {
    struct hak_lock lock;
    struct slab_list slabs; /* the lock; see own_slabs.h */
    uint64_t random;        /* the lock; never 0 */
    uint64_t live;          /* atomic: written under the lock; sampled blocks that live */
} HAK_CACHE_ALIGNED;

extern HAK_INTERNAL struct profile_class hak_profile_classes[HAK_CLASS_COUNT];
extern HAK_INTERNAL struct hak_profile_table *hak_profile_samples; /* atomic; set once, under all locks */

/* Relaxed: a thread that reads it late draws by the rate before, of a sample that then counts no more (due.h). */
HAK_ALWAYS_INLINE uint64_t profile_rate(void) { return hak_load_relaxed(&hak_profile_samples->rate); }

/* All locks: nothing is sampled meanwhile, and no sampled block is freed. */
void hak_profile_lock_all(void);
void hak_profile_unlock_all(void);

/* For reports of misuse, which want the address that a call returns to. */
void hak_profile_misuse_sites(const void *block, struct hak_misuse_sites *sites);

#endif
