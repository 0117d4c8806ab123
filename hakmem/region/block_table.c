/* SPDX-License-Identifier: MIT */
/* See block_table.h. */
#include "hakmem/region/block_table.h"

#include "hakmem/base/assert.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/os/os.h"

static size_t table_slot(const struct block_table *table, uintptr_t start) {
    /* Multiplicative hashing, Knuth, The Art of Computer Programming 6.4: 2^64 / golden ratio. Blocks start
     * at pages, so the low bits say nothing; the high bits of the product depend on all others. */
    return (size_t)((start * 0x9e3779b97f4a7c15u) >> 32) & (table->capacity - 1);
}

void hak_block_table_insert(struct block_table *table, struct block_entry block) {
    HAK_ASSERT(table->used < table->capacity / 2);
    size_t slot = table_slot(table, block.start);
    while (table->entries[slot].start != 0) {
        slot = (slot + 1) & (table->capacity - 1);
    }
    table->entries[slot] = block;
    table->used++;
}

int hak_block_table_reserve(struct block_table *table) {
    if (table->used + 1 <= table->capacity / 2) {
        return 0;
    }
    struct block_table larger = {.capacity = table->capacity == 0 ? hak_os_page_size() / sizeof *table->entries
                                                                  : 2 * table->capacity};
    void *memory;
    const size_t bytes = larger.capacity * sizeof *table->entries;
    int error = HAK_GUARD_FULL ? hak_metadata_map(bytes, &memory) : hak_os_map(bytes, hak_os_page_size(), &memory);
    if (error != 0) {
        return error;
    }
    larger.entries = memory;
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->entries[i].start != 0) {
            hak_block_table_insert(&larger, table->entries[i]);
        }
    }
    if (table->capacity != 0) {
        const size_t old_bytes = table->capacity * sizeof *table->entries;
        (void)(HAK_GUARD_FULL ? hak_metadata_unmap(table->entries, old_bytes)
                              : hak_os_unmap(table->entries, old_bytes));
    }
    *table = larger;
    return 0;
}

struct block_entry *hak_block_table_find(const struct block_table *table, const void *start) {
    if (table->capacity == 0 || start == NULL) {
        return NULL;
    }
    size_t slot = table_slot(table, (uintptr_t)start);
    for (; table->entries[slot].start != 0; slot = (slot + 1) & (table->capacity - 1)) {
        if (table->entries[slot].start == (uintptr_t)start) {
            return &table->entries[slot];
        }
    }
    return NULL;
}

void hak_block_table_remove(struct block_table *table, struct block_entry *block) {
    /* Moves later entries of the same run back, so that no probe meets a gap before its entry. */
    size_t mask = table->capacity - 1;
    size_t gap = (size_t)(block - table->entries);
    for (size_t slot = (gap + 1) & mask; table->entries[slot].start != 0; slot = (slot + 1) & mask) {
        size_t wanted = table_slot(table, table->entries[slot].start);
        if (((slot - wanted) & mask) >= ((slot - gap) & mask)) {
            table->entries[gap] = table->entries[slot];
            gap = slot;
        }
    }
    table->entries[gap] = (struct block_entry){0};
    table->used--;
}
