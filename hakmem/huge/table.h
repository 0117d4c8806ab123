/* SPDX-License-Identifier: MIT */
/* The table of huge blocks: start address -> size. Open addressing, linear probing, grown when half full.
 *
 * No locks of its own: the huge lock guards it. */
#ifndef HAKMEM_HUGE_TABLE_H
#define HAKMEM_HUGE_TABLE_H

#include "hakmem/base/compiler.h"

struct huge_block {
    uintptr_t start; /* 0: the entry is unused */
    size_t size;     /* bytes mapped */
    bool reused;     /* chunks of a region, not a mapping of its own */
    uint64_t unused; /* to a power of two */
};

HAK_STATIC_ASSERT(sizeof(struct huge_block) == 32, "a page holds a power of two of them");

struct huge_table {
    struct huge_block *entries;
    size_t capacity; /* entries, a power of two, or 0 before the first */
    size_t used;     /* used < capacity, so every probe ends */
};

/* Makes room for one more. ENOMEM */
int hak_huge_table_reserve(struct huge_table *table);

/* pre: hak_huge_table_reserve succeeded since the last insertion; no block starts there */
void hak_huge_table_insert(struct huge_table *table, struct huge_block block);

/* The block that starts there, or NULL. Valid until the next change. */
struct huge_block *hak_huge_table_find(const struct huge_table *table, const void *start);

/* pre: `block` came from hak_huge_table_find */
void hak_huge_table_remove(struct huge_table *table, struct huge_block *block);

#endif
