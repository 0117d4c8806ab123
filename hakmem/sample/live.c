/* SPDX-License-Identifier: MIT */
/* See live.h. Tables are found by the region's place in the address space, in two steps. */
#include "hakmem/sample/live.h"

#include <errno.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/os/os.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/slab.h"
#include "hakmem/space/units.h"

/* An entry is a record's number and one more, so that new memory says that no block lives. */
struct live_table {
    uint16_t entries[HAK_REGION_CHUNKS][LIVE_PLACES]; /* atomic */
};

void *hak_live_groups[UNITS_COUNT / LIVE_GROUP]; /* atomic; LIVE_GROUP addresses of tables each; NULL: none */

/* Where the address of the table of p's region is; NULL: its group has none. pre: p lies in a region */
static void **live_slot(const void *p) {
    const size_t unit = (uintptr_t)p >> HAK_REGION_SHIFT;
    /* Acquire: pairs with the release of live_make. */
    void **const group = hak_load_acquire(&hak_live_groups[unit / LIVE_GROUP]);
    return group == NULL ? NULL : &group[unit % LIVE_GROUP];
}

/* Acquire: pairs with the release of live_make. NULL: there is none */
static struct live_table *live_table_of(const void *p) {
    void **const slot = live_slot(p);
    return slot == NULL ? NULL : hak_load_acquire(slot);
}

/* Memory of that size that reads zero, unless there is some. ENOMEM */
static int live_make(void **at, size_t bytes) {
    const size_t size = bits_round_up(bytes, hak_os_page_size());
    void *memory, *none = NULL;
    if (hak_load_relaxed(at) != NULL) {
        return 0;
    }
    if (hak_os_map(size, hak_os_page_size(), &memory) != 0) {
        return ENOMEM;
    }
    /* Acquire-release: pairs with the acquires above. Blocks of other classes may lie in the region, so another thread may have been
     * faster. */
    if (!hak_compare_exchange_acq_rel(at, &none, memory)) {
        (void)hak_os_unmap(memory, size);
    }
    return 0;
}

int hak_live_reserve(const void *p) {
    const size_t unit = (uintptr_t)p >> HAK_REGION_SHIFT;
    const int error = live_make(&hak_live_groups[unit / LIVE_GROUP], LIVE_GROUP * sizeof(void *));
    return error != 0 ? error : live_make(live_slot(p), sizeof(struct live_table));
}

/* pre: the region has a table */
static uint16_t *live_entry(const struct slab_position *at) {
    return &live_table_of(at->slab)->entries[slab_chunk(at->slab)][at->block];
}

/* The block that p lies in, if its chunk is hidden and its region has a table. Result: its class, or 0 */
static unsigned live_locate(const void *p, struct slab_position *out) {
    const unsigned class_index = hak_region_hidden_class(p);
    return class_index != 0 && live_table_of(p) != NULL && slab_locate(p, class_index, out) ? class_index : 0;
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

unsigned hak_live_class(const void *p) {
    struct slab_position at;
    const unsigned class_index = live_locate(p, &at);
    return class_index != 0 && hak_load_relaxed(live_entry(&at)) != 0 ? class_index : 0;
}
