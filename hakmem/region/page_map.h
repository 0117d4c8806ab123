/* SPDX-License-Identifier: MIT */
/* The page map: one byte for each chunk of the address space, the class of the chunk's blocks, 0 = not a chunk of a
 * slab.
 *
 * free reads it for its pointer, which may be any value. There are two forms:
 *
 * - flat: 2^31 bytes (arm64: 2^32), reserved but not backed; the mask keeps the index in the table for addresses above
 *   HAK_ADDRESS_BITS. The table has entries for all of these also where the kernel has fewer: a pointer that no mapping can
 *   have would else read another's entry.
 * - limited: used if the address space has no room for the flat form (RLIMIT_AS), before the first initialisation, and
 *   after the flat form has given way (give_way.h). The mask is 0, so every pointer reads the byte of NULL. It is 0 and
 *   sends the free to the cold path, where hak_region_chunk_class finds the class in the region's header.
 *
 * Written by the region layer, under its lock or by a span's holder, and read by all threads without one: whoever holds
 * a block got it after its chunk's byte was written. */
#ifndef HAKMEM_REGION_PAGE_MAP_H
#define HAKMEM_REGION_PAGE_MAP_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"

struct page_map {
    uint8_t *classes; /* constant after init */
    uintptr_t mask;   /* atomic; index = address >> HAK_CHUNK_SHIFT & mask; after init it changes once at most, to 0 */
};

extern HAK_INTERNAL struct page_map hak_page_map;

/* Class of the chunk that p lies in by the map alone: 0 in the limited form. */
HAK_ALWAYS_INLINE unsigned page_map_class(const void *p) {
    /* Relaxed, both: the byte was stored before the block at p was handed out, and so was a mask of 0 where the byte is
     * not mapped any more (give_way.h). */
    const struct page_map *map = &hak_page_map;
    HAK_IN_REGISTER_BESIDE_X86(map); /* one instruction loads both fields */
    return hak_load_entry(&map->classes[((uintptr_t)p >> HAK_CHUNK_SHIFT) & hak_load_setting(&map->mask)]);
}

/* Chooses the form. pre: called once, before the first region. Never fails: the limited form needs nothing. */
void hak_page_map_init(void);

/* Makes the bytes of the region at `region` writable. ENOMEM */
int hak_page_map_add_region(const void *region);

/* Sets the class of `count` chunks from `chunk` on. pre: in a region that was added */
void hak_page_map_set(const void *chunk, unsigned count, unsigned class_index);

/* Whether the page map is in the flat form. */
HAK_ALWAYS_INLINE bool page_map_is_flat(void) { return hak_load_relaxed(&hak_page_map.mask) != 0; }

/* Switch from the flat to the limited form, in two steps: the first clears the mask; the second unmaps the table, when
 * every thread that gets a block from then on knows the mask. pre: under the region lock */
void hak_page_map_limit(void);
void hak_page_map_give_way(void);

#endif
