/* SPDX-License-Identifier: MIT */
/* What was sampled, by call site and size: counts of samples, never of blocks.
 *
 * A table whose entries are claimed once and never given up. Written under the profile lock; read by any thread, and by
 * tools through shared memory, without one. An estimate of the blocks behind a count is the count divided by
 * hak_chance_of(size, rate), the same for all blocks of an entry. */
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

/* Entries that are in use; more may come meanwhile. */
uint32_t hak_record_count(const struct hak_profile_table *table);

/* The entry of that site and size, claimed where there is none; PROFILE_RECORDS where the table is full. By one thread
 * at a time. From three quarters on all new sites are one, 0. pre: size >= 1 */
uint32_t hak_record_claim(struct hak_profile_table *table, uint64_t site, uint64_t size);

/* A copy of one entry. pre: it is in use. Any thread: allocations >= frees, also while they change. */
struct profile_record hak_record_read(const struct hak_profile_table *table, uint32_t number);

/* The first of the entries with the site of that one: the same for all of them, and for good. pre: it is in use */
uint32_t hak_record_first_of_site(const struct hak_profile_table *table, uint32_t number);

#ifdef __cplusplus
}
#endif

#endif
