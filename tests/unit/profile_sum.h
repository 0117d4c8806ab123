/* SPDX-License-Identifier: MIT */
/* What a profile says of a site, for tests. */
#ifndef TESTS_UNIT_PROFILE_SUM_H
#define TESTS_UNIT_PROFILE_SUM_H

#include <stdint.h>

#include "hakmem/hakmem.h"

/* Names of sites: addresses of nothing else. */
static const char sites[64];
#define SITE(index) ((const void *)&sites[index])

struct sum {
    const void *site;
    double allocations, live; /* estimates */
    uint64_t samples, live_samples;
    uint64_t asked;
    uint64_t thread; /* of the last entry */
};

static inline void sum_add(const struct hak_profile_entry *entry, void *argument) {
    struct sum *sum = (struct sum *)argument;
    if (sum->site != NULL && entry->site != sum->site) return;
    sum->samples += entry->allocations;
    sum->live_samples += entry->live;
    sum->asked += entry->asked;
    sum->thread = entry->thread;
    sum->allocations += (double)entry->allocations * entry->scale;
    sum->live += (double)entry->live * entry->scale;
}

/* Of one site, or of all. */
static inline struct sum sum_of(const void *site) {
    struct sum sum = {.site = site};
    hak_profile_read(sum_add, &sum);
    return sum;
}

#endif
