/* SPDX-License-Identifier: MIT */
/* What the profile counts: finds the record of a sample, counts in it, and tells the observer.
 *
 * Any thread, under a lock of the profile, which orders a block's allocation before its free. A path and size may make blocks under
 * several such locks: huge ones for the sake of their alignment, and all paths once the table is nearly full. So counts are
 * atomic additions.
 *
 * Results: as of the observer's `sample`. */
#ifndef HAKMEM_SAMPLE_TALLY_H
#define HAKMEM_SAMPLE_TALLY_H

#include "hakmem/base/lock.h"
#include "hakmem/sample/record.h"

/* The records lock. */
extern HAK_INTERNAL struct hak_lock hak_tally_lock;

/* The record of that key. PROFILE_RECORDS: the table is full */
uint32_t hak_tally_record(struct hak_profile_table *table, const struct record_key *key);

/* Counts a sample in a record, of a block for which `asked` bytes were asked; the free of one; one that is lost: fewer blocks are estimated than there are, and whoever reads the
 * profile is told. */
bool hak_tally_allocation(struct hak_profile_table *table, uint32_t record, uint64_t asked);
bool hak_tally_free(struct hak_profile_table *table, uint32_t record);
bool hak_tally_lost(struct hak_profile_table *table);

#endif
