/* SPDX-License-Identifier: MIT */
/* A table of blocks by their start address: the huge blocks, and the live sampled ones. Open addressing, linear
 * probing, grown when half full.
 *
 * A table has no lock: its owner (huge/huge.c, sample/profile.c) holds its own lock around every call. */
#ifndef HAKMEM_REGION_BLOCK_TABLE_H
#define HAKMEM_REGION_BLOCK_TABLE_H

#include "hakmem/base/compiler.h"

struct block_entry {
    uintptr_t start; /* 0: the entry is unused */
    size_t size;     /* bytes mapped */
    bool reused;     /* chunks of a region, not a mapping of its own */
    uint64_t unused; /* to a power of two */
};

HAK_STATIC_ASSERT(sizeof(struct block_entry) == 32, "a page holds a power of two of them");

struct block_table {
    struct block_entry *entries;
    size_t capacity; /* entries, a power of two, or 0 before the first */
    size_t used;     /* used < capacity, so every probe ends */
};

/* Makes room for one more. ENOMEM */
int hak_block_table_reserve(struct block_table *table);

/* pre: hak_block_table_reserve succeeded since the last insertion; no block starts there */
void hak_block_table_insert(struct block_table *table, struct block_entry block);

/* The block that starts there, or NULL. Valid until the next change. */
struct block_entry *hak_block_table_find(const struct block_table *table, const void *start);

/* pre: `block` came from hak_block_table_find */
void hak_block_table_remove(struct block_table *table, struct block_entry *block);

#endif
