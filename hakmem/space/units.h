/* SPDX-License-Identifier: MIT */
/* Units: the address space cut into pieces of a region's size (32 MiB), and three sets with one bit for each unit.
 *
 * - region: a region starts here. Regions are never unmapped, so the bit is never cleared.
 * - given: some block was allocated here at some time. Never cleared.
 * - kept: the unit was in `given` when the flat tables gave way (flat.h), or the next unit was: a page of a table may hold
 *   entries of both. The entries of kept units stay mapped for good.
 *
 * Read by any thread without a lock. A set takes half a MiB of address space, of which one or two pages are ever touched. */
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
