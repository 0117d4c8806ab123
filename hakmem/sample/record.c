/* SPDX-License-Identifier: MIT */
/* Entries in the order of their first sample, found by an index that is hashed by the path alone: the entries of a path lie
 * in one run of it, so that a new size finds the callers that are stored. See record.h. */
#include "hakmem/sample/record.h"

#include <string.h>

#include "hakmem/base/atomic.h"

HAK_STATIC_ASSERT(PROFILE_RECORDS <= UINT16_MAX && 2 * PROFILE_RECORDS <= PROFILE_INDEX_ENTRIES, "the index has room");

HAK_STATIC_ASSERT(STACK_CALLERS_MAX <= RECORD_COUNT_MASK, "a number of callers fits");

static uint32_t record_slot(const struct hak_stack *stack) {
    /* Knuth's multiplicative hashing, as in region/block_table.c, an address at a time. */
    uint64_t hash = stack->site * 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < stack->count; i++) {
        hash = (hash ^ hash >> 32 ^ stack->callers[i]) * 0x9e3779b97f4a7c15u;
    }
    return (uint32_t)(hash >> 40) % PROFILE_INDEX_ENTRIES;
}

static uint32_t record_next(uint32_t slot) { return (slot + 1) % PROFILE_INDEX_ENTRIES; }

uint32_t hak_record_count(const struct hak_profile_table *table) {
    /* Acquire: pairs with hak_record_claim; then the entries are there. */
    return (uint32_t)hak_load_acquire(&table->used);
}

static bool record_is_of(const struct hak_profile_table *table, const struct profile_record *record,
                         const struct hak_stack *stack) {
    return record->site == stack->site && record_caller_count(record) == stack->count &&
           record_is_cut(record) == stack->is_cut &&
           memcmp(record_callers(table, record), stack->callers, stack->count * sizeof *stack->callers) == 0;
}

/* Stores the callers. pre: there is room */
static uint64_t record_keep_callers(struct hak_profile_table *table, const struct hak_stack *stack) {
    if (stack->count == 0) {
        return 0;
    }
    const uint64_t first = hak_load_relaxed(&table->frames_used);
    memcpy(&table->frames[first], stack->callers, stack->count * sizeof *stack->callers);
    hak_store_relaxed(&table->frames_used, first + stack->count);
    return first << RECORD_FRAMES_SHIFT | (stack->is_cut ? RECORD_CUT : 0) | stack->count;
}

uint32_t hak_record_claim(struct hak_profile_table *table, const struct hak_stack *stack, uint64_t size) {
    const struct profile_record *same_path = NULL;
    uint32_t slot = record_slot(stack);
    /* Relaxed, here and below: only the caller claims. */
    for (uint32_t entry; (entry = hak_load_relaxed(&table->index[slot])) != 0; slot = record_next(slot)) {
        const struct profile_record *record = &table->records[entry - 1];
        if (record_is_of(table, record, stack)) {
            if (record->size == size) {
                return entry - 1;
            }
            same_path = record;
        }
    }
    const uint32_t number = (uint32_t)hak_load_relaxed(&table->used);
    if (number >= PROFILE_RECORDS / 4 * 3 && stack->site != 0) {
        return hak_record_claim(table, &(struct hak_stack){.site = 0}, size);
    }
    if (number == PROFILE_RECORDS) {
        return PROFILE_RECORDS;
    }
    if (same_path == NULL && stack->count > PROFILE_FRAMES - hak_load_relaxed(&table->frames_used)) {
        hak_count_add(&table->shortened, 1);
        return hak_record_claim(table, &(struct hak_stack){.site = stack->site}, size);
    }
    table->records[number].site = stack->site;
    table->records[number].size = size;
    table->records[number].callers = same_path != NULL ? same_path->callers : record_keep_callers(table, stack);
    hak_store_relaxed(&table->index[slot], (uint16_t)(number + 1));
    /* Release: pairs with the acquire of hak_record_count; the record and its frames are there. */
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
                                   .frees = frees,
                                   .callers = record->callers};
}
