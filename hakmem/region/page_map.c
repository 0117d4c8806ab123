/* SPDX-License-Identifier: MIT */
/* The two forms of the page map; see page_map.h. Entries are written under the region lock, or by the holder of their
 * span. */
#include "hakmem/region/page_map.h"

#include "hakmem/base/bits.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/os/os.h"
#include "hakmem/region/give_way.h"
#include "hakmem/space/flat.h"
#include "hakmem/space/units.h"

#define PAGE_MAP_ENTRIES ((size_t)1 << (HAK_ADDRESS_BITS - HAK_CHUNK_SHIFT))

static uint8_t page_map_nothing_is_ours[1];

struct page_map hak_page_map = {.classes = page_map_nothing_is_ours, .mask = 0};

void hak_page_map_init(void) {
    hak_give_way_note_process();
    void *entries;
    if (!hak_flat_has_room(PAGE_MAP_ENTRIES) || (HAK_GUARD_FULL ? hak_metadata_reserve(PAGE_MAP_ENTRIES, &entries)
                                                                : hak_os_reserve(PAGE_MAP_ENTRIES, &entries)) != 0) {
        return;
    }
    /* Nobody reads meanwhile: the process has one thread, or the library's names are not known yet (process/init.c). */
    hak_page_map.classes = entries;
    hak_page_map.mask = PAGE_MAP_ENTRIES - 1;
}

int hak_page_map_add_region(const void *region) {
    if (!page_map_is_flat()) {
        return 0;
    }
    const size_t page = hak_os_page_size(), bytes = bits_round_up(HAK_REGION_CHUNKS, page);
    const uintptr_t first = ((uintptr_t)region >> HAK_CHUNK_SHIFT) & ~(page - 1);
    /* A page of the map is of several regions; the first of them made it writable. */
    return hak_units_any_is_region(first << HAK_CHUNK_SHIFT, bytes << HAK_CHUNK_SHIFT)
               ? 0
               : hak_flat_commit(&hak_page_map.classes[first], bytes);
}

/* Release: pairs with nothing of its own; hak_units_keep, which follows, makes it known to all who get a block
 * later. */
void hak_page_map_limit(void) { hak_store_release(&hak_page_map.mask, (uintptr_t)0); }

void hak_page_map_give_way(void) {
    if (hak_page_map.classes != page_map_nothing_is_ours) {
        hak_flat_give_way(hak_page_map.classes, HAK_CHUNK_SHIFT, HAK_ADDRESS_BITS);
    }
}

void hak_page_map_set(const void *chunk, unsigned count, unsigned class_index) {
    if (!page_map_is_flat()) {
        return;
    }
    uint8_t *entry = &hak_page_map.classes[(uintptr_t)chunk >> HAK_CHUNK_SHIFT];
    for (unsigned i = 0; i < count; i++) {
        /* Relaxed: pairs with page_map_class; handing out the block orders the two. */
        hak_store_relaxed(&entry[i], (uint8_t)class_index);
    }
}
