/* SPDX-License-Identifier: MIT */
/* Where blocks that were sampled were allocated and freed, for a while after their free: what a report of a double free has
 * to say. A table in which a block's entry gives way to any later one of the same hash.
 *
 * Written under the profile lock. Read by any thread without it, on the way to an abort. */
#ifndef HAKMEM_SAMPLE_FREED_H
#define HAKMEM_SAMPLE_FREED_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FREED_ENTRIES 4096u

/* Notes the end of a block's life. By one thread at a time. pre: block != NULL, and whatever lies there next is noted too */
void hak_freed_note(const void *block, const void *allocated, const void *freed);

/* false: nothing is known of the block. */
bool hak_freed_find(const void *block, const void **allocated, const void **freed);

#ifdef __cplusplus
}
#endif

#endif
