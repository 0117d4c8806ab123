/* SPDX-License-Identifier: MIT */
/* The profile's table: one record for each pair of call site and block size, with the number of samples allocated and freed.
 *
 * A record is claimed at the first sample of its pair and never given up. It counts samples, not blocks: the estimated number of
 * blocks is the count divided by hak_chance_of(size, rate). Written under the profile lock; read without it by any thread, and
 * by tools through shared memory. */
#ifndef HAKMEM_SAMPLE_RECORD_H
#define HAKMEM_SAMPLE_RECORD_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct profile_record {
    uint64_t size;        /* constant; bytes of a block: its class's, or a huge block's own */
    uint64_t site;        /* constant; an address within the call, or as given to hak_alloc_at */
    uint64_t allocations; /* atomic; samples taken */
    uint64_t frees;       /* atomic; of these, freed since */
};

#define PROFILE_RECORDS 16384u
#define PROFILE_INDEX_ENTRIES 32768u

struct hak_profile_table {
    uint64_t magic;   /* PROFILE_MAGIC in shared memory (observe/profile_page.h), which holds the same */
    uint64_t rate;    /* atomic; bytes a sample */
    uint64_t dropped; /* atomic; samples lost for want of room or memory */
    uint64_t used;    /* atomic; entries in use: the first ones */
    struct profile_record records[PROFILE_RECORDS];
    /* Not shared. By the hash of the site: number of an entry, and one more; 0: none. Open addressing, half full at most. */
    uint16_t index[PROFILE_INDEX_ENTRIES];
};

/* Bytes of what is shared. */
#define PROFILE_SHARED_BYTES offsetof(struct hak_profile_table, index)

/* Number of records in use. It may grow at any time. */
uint32_t hak_record_count(const struct hak_profile_table *table);

/* Finds the record of that site and size, or claims one. PROFILE_RECORDS: the table is full. Once three quarters of the table are in
 * use, all new sites share the site 0. pre: the profile lock is held; size >= 1 */
uint32_t hak_record_claim(struct hak_profile_table *table, uint64_t site, uint64_t size);

/* Copies a record; allocations >= frees in the copy even while other threads change both. Any thread. pre: the record is in use */
struct profile_record hak_record_read(const struct hak_profile_table *table, uint32_t number);

/* The first record with the same site: one number for all records of a site, which never changes. pre: the record is in use */
uint32_t hak_record_first_of_site(const struct hak_profile_table *table, uint32_t number);

#ifdef __cplusplus
}
#endif

#endif
