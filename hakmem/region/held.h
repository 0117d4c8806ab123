/* SPDX-License-Identifier: MIT */
/* Bytes in use by slabs and huge blocks, and the most of them at any one time.
 *
 * Updated when a slab or a huge block is made or given up, by any thread without a lock; never on a fast path. Live
 * bytes are at most the bytes held, so the maximum of the bytes held is an upper bound of the peak of live bytes. */
#ifndef HAKMEM_REGION_HELD_H
#define HAKMEM_REGION_HELD_H

#include "hakmem/base/compiler.h"

void hak_held_add(size_t bytes);
void hak_held_subtract(size_t bytes);

/* Snapshots. */
size_t hak_held_bytes(void);
size_t hak_held_bytes_most(void);

#endif
