/* SPDX-License-Identifier: MIT */
/* Entries in the order of their first sample, found by an index that is hashed by the path: the entries of a path lie in one run
 * of it, so that a new size finds the callers that are stored. That run has the entries of the thread that took the path first;
 * those of each other thread have a run of their own, which the thread's number is hashed into, so that none becomes long.
 *
 * The first entry of a path that is found in its run is of that first thread, also where another thread's run begins within it:
 * entries are never removed, so that what came later stands behind. See record.h. */
#include "hakmem/sample/record.h"

#include <string.h>

#include "hakmem/base/atomic.h"

HAK_STATIC_ASSERT(PROFILE_RECORDS <= UINT16_MAX && 2 * PROFILE_RECORDS <= PROFILE_INDEX_ENTRIES, "the index has room");

HAK_STATIC_ASSERT(STACK_CALLERS_MAX <= RECORD_COUNT_MASK, "a number of callers fits");

/* Knuth's multiplicative hashing, as in region/block_table.c, an address at a time. */
static uint64_t record_mix(uint64_t hash, uint64_t more) { return (hash ^ hash >> 32 ^ more) * 0x9e3779b97f4a7c15u; }

static uint64_t record_hash(const struct hak_stack *stack) {
    uint64_t hash = stack->site * 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < stack->count; i++) {
        hash = record_mix(hash, stack->callers[i]);
    }
    return hash;
}

static uint32_t record_slot(uint64_t hash) { return (uint32_t)(hash >> 40) % PROFILE_INDEX_ENTRIES; }

static uint32_t record_next(uint32_t slot) { return (slot + 1) % PROFILE_INDEX_ENTRIES; }

uint32_t hak_record_count(const struct hak_profile_table *table) {
    /* Acquire: pairs with record_add; then the entries are there. */
    return (uint32_t)hak_load_acquire(&table->used);
}

static bool record_is_of(const struct hak_profile_table *table, const struct profile_record *record,
                         const struct hak_stack *stack) {
    return record->site == stack->site && record_caller_count(record) == stack->count &&
           record_is_cut(record) == stack->is_cut && record_is_open(record) == stack->is_open &&
           memcmp(record_callers(table, record), stack->callers, stack->count * sizeof *stack->callers) == 0;
}

/* Stores the callers. pre: there is room */
static uint64_t record_keep_callers(struct hak_profile_table *table, const struct hak_stack *stack) {
    const uint64_t how = (stack->is_cut ? RECORD_CUT : 0) | (stack->is_open ? RECORD_OPEN : 0);
    if (stack->count == 0) {
        return how;
    }
    const uint64_t first = hak_load_relaxed(&table->frames_used);
    memcpy(&table->frames[first], stack->callers, stack->count * sizeof *stack->callers);
    hak_store_relaxed(&table->frames_used, first + stack->count);
    return first << RECORD_FRAMES_SHIFT | how | stack->count;
}

/* A look for a key. */
struct record_look {
    uint32_t found;                         /* PROFILE_RECORDS: none */
    uint32_t slot;                          /* where the index has it, or has room for it */
    const struct profile_record *same_path; /* the first of its path; NULL: there is none */
};

static struct record_look record_look_from(const struct hak_profile_table *table, const struct record_key *key,
                                           uint32_t slot) {
    struct record_look look = {.found = PROFILE_RECORDS, .slot = slot};
    /* Acquire: pairs with the release of record_add; the record and its frames are there. */
    for (uint32_t entry; (entry = hak_load_acquire(&table->index[look.slot])) != 0;
         look.slot = record_next(look.slot)) {
        const struct profile_record *record = &table->records[entry - 1];
        const bool is_alike = record->size == key->size && record->rate == key->rate && record->thread == key->thread;
        if ((is_alike || look.same_path == NULL) && record_is_of(table, record, key->stack)) {
            if (is_alike) {
                look.found = entry - 1;
                break;
            }
            look.same_path = record;
        }
    }
    return look;
}

/* Whether a record of the key lies in the run of another thread than the one that took its path first. */
static bool record_is_others(const struct record_look *look, const struct record_key *key) {
    return look->same_path != NULL && look->same_path->thread != key->thread;
}

static struct record_look record_look_for(const struct hak_profile_table *table, const struct record_key *key) {
    const uint64_t hash = record_hash(key->stack);
    struct record_look look = record_look_from(table, key, record_slot(hash));
    if (look.found == PROFILE_RECORDS && record_is_others(&look, key)) {
        const struct record_look own = record_look_from(table, key, record_slot(record_mix(hash, key->thread + 1)));
        look.found = own.found;
        look.slot = own.slot;
    }
    return look;
}

/* pre: there is room */
static uint32_t record_add(struct hak_profile_table *table, const struct record_key *key,
                           const struct record_look *look) {
    const uint32_t number = (uint32_t)hak_load_relaxed(&table->used);
    struct profile_record *record = &table->records[number];
    record->site = key->stack->site;
    record->size = key->size;
    record->rate = key->rate;
    record->thread = key->thread;
    record->callers = look->same_path != NULL ? look->same_path->callers : record_keep_callers(table, key->stack);
    /* Relaxed: as in record_tells_thread. */
    hak_store_relaxed(&table->others, hak_load_relaxed(&table->others) + record_is_others(look, key));
    DISTURB();
    /* Release, both: pair with the acquires of record_look_from and hak_record_count. */
    hak_store_release(&table->index[look->slot], (uint16_t)(number + 1));
    DISTURB();
    hak_store_release(&table->used, (uint64_t)number + 1);
    return number;
}

/* What a path that is new counts as: itself, or less of it where the table has no room. */
static struct hak_stack record_reduced(const struct hak_profile_table *table, const struct hak_stack *stack,
                                       const struct record_look *look) {
    if (hak_record_count(table) >= PROFILE_RECORDS / 4 * 3 && stack->site != 0) {
        return (struct hak_stack){.site = 0};
    }
    /* Relaxed: it only grows, and under the lock nobody else adds. */
    if (look->same_path == NULL && stack->count > PROFILE_FRAMES - hak_load_relaxed(&table->frames_used)) {
        return (struct hak_stack){.site = stack->site};
    }
    return *stack;
}

/* Whether a new record is of its thread alone: while there is room for as many of other threads than the first of a path. */
static bool record_tells_thread(const struct hak_profile_table *table, const struct record_key *key,
                                const struct record_look *look, const struct hak_stack *reduced) {
    const bool is_rest = reduced->site == 0 && key->stack->site != 0;
    /* Relaxed: it only grows, and under the lock nobody else adds. */
    return !is_rest && (!record_is_others(look, key) || hak_load_relaxed(&table->others) < PROFILE_OTHERS);
}

/* Finds or, with `may_add`, claims. */
static uint32_t record_of(struct hak_profile_table *table, const struct record_key *key, bool may_add) {
    struct record_look look = record_look_for(table, key);
    if (look.found != PROFILE_RECORDS) {
        return look.found;
    }
    const struct hak_stack *stack = key->stack, reduced = record_reduced(table, stack, &look);
    const bool is_short = reduced.site == stack->site && reduced.count < stack->count;
    const struct record_key less = {.stack = &reduced,
                                    .size = key->size,
                                    .rate = key->rate,
                                    .thread = record_tells_thread(table, key, &look, &reduced) ? key->thread : 0};
    if (is_short || reduced.site != stack->site || less.thread != key->thread) {
        look = record_look_for(table, &less);
    }
    if (look.found == PROFILE_RECORDS && may_add && hak_load_relaxed(&table->used) < PROFILE_RECORDS) {
        look.found = record_add(table, &less, &look);
    }
    if (is_short && look.found != PROFILE_RECORDS) {
        /* Relaxed: a count orders nothing. */
        hak_fetch_add_relaxed(&table->shortened, (uint64_t)1);
    }
    return look.found;
}

uint32_t hak_record_find(struct hak_profile_table *table, const struct record_key *key) {
    return record_of(table, key, false);
}

uint32_t hak_record_claim(struct hak_profile_table *table, const struct record_key *key) {
    return record_of(table, key, true);
}

struct profile_record hak_record_read(const struct hak_profile_table *table, uint32_t number) {
    const struct profile_record *record = &table->records[number];
    /* Acquire: pairs with the release of hak_tally_free. The free was counted after its allocation, so the allocation is
     * seen where the free is. */
    const uint64_t frees = hak_load_acquire(&record->frees);
    DISTURB();
    return (struct profile_record){.size = record->size,
                                   .site = record->site,
                                   .allocations = hak_load_relaxed(&record->allocations),
                                   .frees = frees,
                                   .callers = record->callers,
                                   .rate = record->rate,
                                   .thread = record->thread,
                                   .asked = hak_load_relaxed(&record->asked)};
}
