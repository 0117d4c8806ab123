/* The page map: one byte a chunk of the address space, the class of the chunk's blocks, 0 = not ours.
 *
 * Every free reads it, with any pointer at all. Two forms:
 * - flat: 2^31 bytes, reserved but not backed; the mask keeps addresses above 47 bits inside.
 * - limited: where the address space has no room for that (RLIMIT_AS), and before the first
 *   initialisation: the mask is 0, so every pointer reads the one byte 0, which sends it to the cold path;
 *   that asks region_chunk_class, which knows by the region headers.
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
    uintptr_t mask;   /* constant after init; index = address >> HAK_CHUNK_SHIFT & mask */
};

extern HAK_INTERNAL struct page_map hak_page_map;

/* Class of the chunk that p lies in by the map alone: 0 in the limited form. */
HAK_ALWAYS_INLINE unsigned page_map_class(const void *p) {
    /* Relaxed: the byte was stored before the block at p was handed out. */
    return hak_load_relaxed(&hak_page_map.classes[((uintptr_t)p >> HAK_CHUNK_SHIFT) & hak_page_map.mask]);
}

/* Chooses the form. pre: called once, before the first region. Never fails: the limited form needs nothing. */
void page_map_init(void);

/* Makes the bytes of the region at `region` writable. ENOMEM */
int page_map_add_region(const void *region);

/* Sets the class of `count` chunks from `chunk` on. pre: in a region that was added */
void page_map_set(const void *chunk, unsigned count, unsigned class_index);

#endif
