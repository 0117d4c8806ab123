/* SPDX-License-Identifier: MIT */
/* The profile's table: one record for each path of calls, block size, rate and thread, with the number of samples allocated and
 * freed.
 *
 * A record is claimed at the first sample of its kind, and never given up. The addresses of callers are stored once for all
 * records of a path. It counts samples, not blocks: the estimated number of blocks is the count divided by
 * hak_chance_of(size, rate), by the record's own rate, so that the profile can go on at another one. New records are claimed
 * under the records lock; all else is found and counted without it by any thread, and read by tools through shared memory. */
#ifndef HAKMEM_SAMPLE_RECORD_H
#define HAKMEM_SAMPLE_RECORD_H

#include "hakmem/base/compiler.h"
#include "hakmem/sample/stack.h"

#ifdef __cplusplus
extern "C" {
#endif

struct profile_record {
    uint64_t size;        /* constant; bytes of a block: its class's, or a huge block's own */
    uint64_t site;        /* constant; an address within the call, or as given to hak_alloc_at */
    uint64_t allocations; /* atomic; samples taken */
    uint64_t frees;       /* atomic; of these, freed since */
    uint64_t callers;     /* constant; which of the table's frames: record_caller_count, record_callers */
    uint64_t rate;        /* constant; bytes a sample, while these were taken */
    uint64_t
        thread; /* constant; who allocated: number of a thread's record (magazine/record.h); 0: of any, or of none */
    uint64_t asked; /* atomic; bytes that all its samples were asked for, also those that were freed */
};

/* What makes a record another than the others. */
struct record_key {
    const struct hak_stack *stack;
    uint64_t size, rate, thread;
};

/* Live samples of a record to which no pointer leads (observe/lost.h). */
struct profile_lost {
    uint32_t directly, indirectly;
};

#define PROFILE_RECORDS 16384u
#define PROFILE_OTHERS (PROFILE_RECORDS / 4) /* the most that other threads have than the first one of each path */
#define PROFILE_INDEX_ENTRIES 32768u
#define PROFILE_FRAMES 262144u /* 2 MiB: 16 callers a record on average */

struct hak_profile_table {
    uint64_t magic;       /* PROFILE_MAGIC in shared memory (observe/profile_page.h), which holds the same */
    uint64_t rate;        /* atomic; bytes a sample, of those that are taken now or were taken last */
    uint64_t is_on;       /* atomic; 1: samples are taken */
    uint64_t is_whole;    /* atomic; 1: all from the start on, at this rate or thinned out */
    uint64_t switches;    /* atomic; how often it was switched on, off or to another rate */
    uint64_t switched_ms; /* atomic; hak_os_clock_ms of the last time */
    uint64_t dropped;     /* atomic; samples lost for want of room or memory */
    uint64_t used;        /* atomic; entries in use: the first ones */
    uint64_t frames_used; /* atomic; likewise of the frames */
    uint64_t shortened;   /* atomic; samples that lost their callers, since the frames were all in use */
    struct profile_record records[PROFILE_RECORDS];
    uint64_t frames[PROFILE_FRAMES]; /* constant once they are in use; as in struct hak_stack */
    /* The last look at which are lost; in shared memory alone, where a copy of the process writes it. */
    uint64_t answered;     /* atomic; the number that asked for it, once the others are written; 0: none */
    uint64_t lost_problem; /* 0, or the errno value for which it failed */
    struct profile_lost lost[PROFILE_RECORDS];
    uint64_t others; /* atomic, not shared; records of other threads than the first one of their path */
    /* Atomic, not shared. By the hash of the path: number of an entry, and one more; 0: none. Open addressing, half full at most. */
    uint16_t index[PROFILE_INDEX_ENTRIES];
};

/* Bytes of what is shared. */
#define PROFILE_SHARED_BYTES offsetof(struct hak_profile_table, others)

/* Number of records in use. It may grow at any time. */
uint32_t hak_record_count(const struct hak_profile_table *table);

/* What `callers` says: index of the first frame, whether there are more callers than were kept or than could be found, and how
 * many were. */
#define RECORD_FRAMES_SHIFT 8
#define RECORD_CUT 0x80u
#define RECORD_OPEN 0x40u
#define RECORD_COUNT_MASK 0x3fu

HAK_ALWAYS_INLINE uint32_t record_caller_count(const struct profile_record *record) {
    return record->callers & RECORD_COUNT_MASK;
}
HAK_ALWAYS_INLINE bool record_is_cut(const struct profile_record *record) { return record->callers & RECORD_CUT; }
HAK_ALWAYS_INLINE bool record_is_open(const struct profile_record *record) { return record->callers & RECORD_OPEN; }
HAK_ALWAYS_INLINE const uint64_t *record_callers(const struct hak_profile_table *table,
                                                 const struct profile_record *record) {
    return &table->frames[record->callers >> RECORD_FRAMES_SHIFT];
}

/* Finds the record of that key, or claims one. PROFILE_RECORDS: the table is full. Once three quarters of the table are in use,
 * all new paths share the site 0; once all frames are, new paths have no callers; and once PROFILE_OTHERS are, further threads
 * share one record of a path and size. pre: the records lock is held; size and rate >= 1 */
uint32_t hak_record_claim(struct hak_profile_table *table, const struct record_key *key);

/* The same, for any thread without a lock, where there is such a record. PROFILE_RECORDS: there is none; hak_record_claim says
 * more */
uint32_t hak_record_find(struct hak_profile_table *table, const struct record_key *key);

/* Copies a record; allocations >= frees in the copy even while other threads change both. Any thread. pre: the record is in use */
struct profile_record hak_record_read(const struct hak_profile_table *table, uint32_t number);

#ifdef __cplusplus
}
#endif

#endif
