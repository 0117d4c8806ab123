/* SPDX-License-Identifier: MIT */
/* Bytes in use by slabs and huge blocks, and the most of them at any one time.
 *
 * Changed where a slab or a huge block begins and ends, by any thread without a lock; never on a fast path. Live bytes
 * are never more than what is held, so the most that was held bounds their peak from above. */
#ifndef HAKMEM_REGION_HELD_H
#define HAKMEM_REGION_HELD_H

#include "hakmem/base/compiler.h"

void hak_held_add(size_t bytes);
void hak_held_subtract(size_t bytes);

/* Snapshots. */
size_t hak_held_bytes(void);
size_t hak_held_bytes_most(void);

#endif
