/* SPDX-License-Identifier: MIT */
/* Entries in the order of their first sample, found by an index that is hashed by the site alone: the entries of a site lie
 * in one run of it. See record.h. */
#include "hakmem/sample/record.h"

#include "hakmem/base/atomic.h"

HAK_STATIC_ASSERT(PROFILE_RECORDS <= UINT16_MAX && 2 * PROFILE_RECORDS <= PROFILE_INDEX_ENTRIES, "the index has room");

static uint32_t record_slot(uint64_t site) {
    /* Knuth's multiplicative hashing, as in region/block_table.c. */
    return (uint32_t)((site * 0x9e3779b97f4a7c15u) >> 40) % PROFILE_INDEX_ENTRIES;
}

static uint32_t record_next(uint32_t slot) { return (slot + 1) % PROFILE_INDEX_ENTRIES; }

uint32_t hak_record_count(const struct hak_profile_table *table) {
    /* Acquire: pairs with hak_record_claim; then the entries are there. */
    return (uint32_t)hak_load_acquire(&table->used);
}

uint32_t hak_record_claim(struct hak_profile_table *table, uint64_t site, uint64_t size) {
    uint32_t slot = record_slot(site);
    /* Relaxed, here and below: only the caller claims. */
    for (uint32_t entry; (entry = hak_load_relaxed(&table->index[slot])) != 0; slot = record_next(slot)) {
        const struct profile_record *record = &table->records[entry - 1];
        if (record->size == size && record->site == site) {
            return entry - 1;
        }
    }
    const uint32_t number = (uint32_t)hak_load_relaxed(&table->used);
    if (number >= PROFILE_RECORDS / 4 * 3 && site != 0) {
        return hak_record_claim(table, 0, size);
    }
    if (number == PROFILE_RECORDS) {
        return PROFILE_RECORDS;
    }
    table->records[number].site = site;
    table->records[number].size = size;
    /* Release, both: pairs with the acquires of hak_record_count and hak_record_first_of_site. */
    hak_store_release(&table->index[slot], (uint16_t)(number + 1));
    hak_store_release(&table->used, (uint64_t)number + 1);
    return number;
}

struct profile_record hak_record_read(const struct hak_profile_table *table, uint32_t number) {
    const struct profile_record *record = &table->records[number];
    /* Acquire: pairs with the release of hak_profile_forget. The free was counted after its allocation, so the allocation is
     * seen where the free is. */
    const uint64_t frees = hak_load_acquire(&record->frees);
    return (struct profile_record){.size = record->size,
                                   .site = record->site,
                                   .allocations = hak_load_relaxed(&record->allocations),
                                   .frees = frees};
}

uint32_t hak_record_first_of_site(const struct hak_profile_table *table, uint32_t number) {
    const uint64_t site = table->records[number].site;
    for (uint32_t slot = record_slot(site);; slot = record_next(slot)) {
        const uint32_t entry = hak_load_acquire(&table->index[slot]);
        if (table->records[entry - 1].site == site) {
            return entry - 1;
        }
    }
}
