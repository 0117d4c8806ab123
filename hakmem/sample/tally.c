/* SPDX-License-Identifier: MIT */
/* See tally.h. */
#include "hakmem/sample/tally.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/observer.h"

struct hak_lock hak_tally_lock = HAK_LOCK_INITIALIZER(HAK_RANK_RECORDS);

uint32_t hak_tally_record(struct hak_profile_table *table, const struct record_key *key) {
    uint32_t record = hak_record_find(table, key);
    if (HAK_UNLIKELY(record == PROFILE_RECORDS && hak_record_count(table) < PROFILE_RECORDS)) {
        lock_acquire(&hak_tally_lock);
        const uint32_t before = hak_record_count(table);
        record = hak_record_claim(table, key);
        if (hak_record_count(table) > before) {
            observer_note_record(table, record);
        }
        lock_release(&hak_tally_lock);
    }
    return record;
}

bool hak_tally_allocation(struct hak_profile_table *table, uint32_t record, uint64_t asked) {
    /* Relaxed, both: the profile's lock of the block's class orders them before the free. */
    hak_fetch_add_relaxed(&table->records[record].asked, asked);
    hak_fetch_add_relaxed(&table->records[record].allocations, (uint64_t)1);
    return observer_note_sample(table, record);
}

bool hak_tally_free(struct hak_profile_table *table, uint32_t record) {
    /* Release: pairs with the acquire of hak_record_read. Additions of other threads go on with its release sequence, so that a
     * reader sees the allocation of each free that it counts. */
    hak_fetch_add_acq_rel(&table->records[record].frees, (uint64_t)1);
    return observer_note_sample(table, record);
}

bool hak_tally_lost(struct hak_profile_table *table) {
    /* Relaxed: a count orders nothing. */
    hak_fetch_add_relaxed(&table->dropped, (uint64_t)1);
    return observer_note_sample(table, PROFILE_RECORDS);
}
