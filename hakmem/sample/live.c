/* SPDX-License-Identifier: MIT */
/* See live.h. Tables are found by the region's place in the address space. */
#include "hakmem/sample/live.h"

#include <errno.h>

#include "hakmem/base/atomic.h"
#include "hakmem/os/os.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/slab.h"
#include "hakmem/space/units.h"

/* Places of a chunk. */
#define LIVE_PLACES (HAK_BITMAP_WORDS_MAX * 64u)

/* An entry is a record's number and one more, so that new memory says that no block lives. */
struct live_table {
    uint16_t entries[HAK_REGION_CHUNKS][LIVE_PLACES]; /* atomic */
};

static struct live_table **live_tables; /* atomic; of UNITS_COUNT, each atomic; NULL: none */

static struct live_table **live_table_of(const void *p) {
    /* Acquire: pairs with the release where it is made. */
    struct live_table **const tables = hak_load_acquire(&live_tables);
    return tables == NULL ? NULL : &tables[(uintptr_t)p >> HAK_REGION_SHIFT];
}

int hak_live_reserve(const void *p) {
    void *memory;
    if (live_table_of(p) == NULL) {
        if (hak_os_map(UNITS_COUNT * sizeof *live_tables, hak_os_page_size(), &memory) != 0) {
            return ENOMEM;
        }
        hak_store_release(&live_tables, (struct live_table **)memory);
    }
    struct live_table **const table = live_table_of(p);
    if (hak_load_relaxed(table) == NULL) {
        if (hak_os_map(sizeof **table, hak_os_page_size(), &memory) != 0) {
            return ENOMEM;
        }
        hak_store_release(table, (struct live_table *)memory);
    }
    return 0;
}

/* pre: p's region has a table */
static uint16_t *live_entry(const struct slab_position *at) {
    /* Acquire: pairs with the release where it is made. */
    struct live_table *const table = hak_load_acquire(live_table_of(at->slab));
    return &table->entries[slab_chunk(at->slab)][at->block];
}

/* The block that p lies in, if its chunk is hidden and its region has a table. Result: its class, or 0 */
static unsigned live_locate(const void *p, struct slab_position *out) {
    const unsigned class_index = hak_region_hidden_class(p);
    if (class_index == 0 || live_table_of(p) == NULL || hak_load_acquire(live_table_of(p)) == NULL) {
        return 0;
    }
    return slab_locate(p, class_index, out) ? class_index : 0;
}

void hak_live_note(const void *p, unsigned class_index, uint16_t record) {
    struct slab_position at;
    (void)slab_locate(p, class_index, &at);
    /* Relaxed: who reads it without the lock asks for a block that it knows. */
    hak_store_relaxed(live_entry(&at), (uint16_t)(record + 1u));
}

uint16_t hak_live_find(const void *p, unsigned *class_index) {
    struct slab_position at;
    *class_index = live_locate(p, &at);
    if (*class_index == 0 || at.offset != 0) {
        return LIVE_NONE;
    }
    return (uint16_t)(hak_load_relaxed(live_entry(&at)) - 1u);
}

const void *hak_live_start(const void *p) {
    struct slab_position at;
    if (live_locate(p, &at) == 0 || hak_load_relaxed(live_entry(&at)) == 0) {
        return NULL;
    }
    return (const char *)p - at.offset;
}
