/* SPDX-License-Identifier: MIT */
/* The records of sampled blocks that live in regions: two bytes for each place where a block may lie.
 *
 * A region gets a table for all of its places at its first sample, 4 MiB of address space, of which the pages are touched
 * that belong to slabs with sampled blocks: an eighth of such slabs at most. Huge blocks are elsewhere (profile.c).
 *
 * An entry is changed under the profile's lock of its block's class; read without it by who reports misuse. */
#ifndef HAKMEM_SAMPLE_LIVE_H
#define HAKMEM_SAMPLE_LIVE_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"

/* What is noted where no sampled block lives. */
#define LIVE_NONE UINT16_MAX

/* Places of a chunk, and regions of a group. */
#define LIVE_PLACES ((size_t)HAK_BITMAP_WORDS_MAX * 64)
#define LIVE_GROUP 2048u

/* By the region's place in the address space, for tools outside of the process: see live.c. */
extern void *hak_live_groups[];

/* Makes room for blocks of p's region. Any thread. ENOMEM. pre: p lies in a region */
int hak_live_reserve(const void *p);

/* Notes the record of a block of the class that starts at p, or LIVE_NONE. pre: hak_live_reserve succeeded for p once */
void hak_live_note(const void *p, unsigned class_index, uint16_t record);

/* What was noted for the block that starts at p, and its class; LIVE_NONE for any other p, and where p's chunk is not hidden. */
uint16_t hak_live_find(const void *p, unsigned *class_index);

/* The class of the sampled block that any p lies in; 0: in none. */
unsigned hak_live_class(const void *p);

#endif
