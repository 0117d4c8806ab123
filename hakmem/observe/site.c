/* SPDX-License-Identifier: MIT */
/* An open-addressed table whose entries are claimed once and never given up; see site.h. */
#include "hakmem/observe/site.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"

#define SITE_ENTRIES 4096 /* as the public header says */

struct site_entry {
    uintptr_t key;        /* atomic; 0 = unused */
    uint64_t allocations; /* atomic */
    uint64_t bytes;       /* atomic */
};

static struct site_entry site_entries[SITE_ENTRIES];

/* Never 0, also for a NULL site: user addresses leave the top bit clear. */
static uintptr_t site_key(const void *site) { return (uintptr_t)site | (uintptr_t)1 << 63; }

/* The site's entry; where it has none, a new one if `claim`, else NULL. NULL too where the table is full. */
static struct site_entry *site_find(const void *site, bool claim) {
    const uintptr_t key = site_key(site);
    /* Knuth's multiplicative hashing, as in region/block_table.c. */
    const size_t slot = (size_t)((key * 0x9e3779b97f4a7c15u) >> 52);
    for (size_t probe = 0; probe < SITE_ENTRIES; probe++) {
        struct site_entry *entry = &site_entries[(slot + probe) % SITE_ENTRIES];
        /* Acquire and acquire-release need no partner: the key is all that an entry's claim publishes. */
        uintptr_t found = hak_load_acquire(&entry->key);
        if (found == 0) {
            if (!claim) {
                return NULL;
            }
            if (hak_compare_exchange_acq_rel(&entry->key, &found, key)) {
                return entry;
            }
        }
        if (found == key) {
            return entry;
        }
    }
    return NULL;
}

void hak_site_count(const void *site, size_t size) {
    struct site_entry *entry = site_find(site, true);
    if (entry != NULL) {
        /* Relaxed: counts order nothing. */
        hak_fetch_add_relaxed(&entry->allocations, (uint64_t)1);
        hak_fetch_add_relaxed(&entry->bytes, (uint64_t)size);
    }
}

bool hak_site_get_stats(const void *site, struct hak_site_stats *stats) {
    const struct site_entry *entry = site_find(site, false);
    if (entry == NULL) {
        return false;
    }
    stats->allocations = hak_load_relaxed(&entry->allocations);
    stats->bytes = hak_load_relaxed(&entry->bytes);
    return true;
}
