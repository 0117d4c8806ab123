/* SPDX-License-Identifier: MIT */
/* Units: the address space in pieces of a region's size, and a bit for each in three sets.
 *
 * - region: a region starts there. It never goes, so a bit is never cleared.
 * - given: a block, or a part of one, was given out there at any time. Never cleared.
 * - kept: what was given when the flat tables gave way (flat.h), and the unit before each, where a table may have the first
 *   entries of the next: entries of a kept unit are mapped for good.
 *
 * Any thread asks, without a lock. Half a MiB a set, of which a page or two are ever touched. */
#ifndef HAKMEM_SPACE_UNITS_H
#define HAKMEM_SPACE_UNITS_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"

#define UNITS_COUNT ((size_t)1 << (HAK_ADDRESS_BITS - HAK_REGION_SHIFT))

/* pre: under the region lock; the region is about to be given out, and can be read */
void hak_units_note_region(const void *region);

/* Whether p lies in a region. Any p. */
bool hak_units_is_region(const void *p);

/* Notes that a block is about to be given out in [start, start + size). */
void hak_units_note_given(const void *start, size_t size);

/* Copies what was given to what is kept. pre: under the region lock; once */
void hak_units_keep(void);

/* Whether any unit of [start, start + size) is kept, or a region. pre: under the region lock */
bool hak_units_any_is_kept(uintptr_t start, size_t size);
bool hak_units_any_is_region(uintptr_t start, size_t size);

/* The first unit from `unit` on that is kept, or is not; UNITS_COUNT where there is none. pre: hak_units_keep was called */
size_t hak_units_next(size_t unit, bool kept);

#endif
