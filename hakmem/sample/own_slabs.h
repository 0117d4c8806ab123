/* SPDX-License-Identifier: MIT */
/* Slabs that hold sampled blocks only, of one class: their chunks are hidden, which makes the frees of all their blocks slow.
 *
 * Under the profile's lock of the class, which also guards the list: the slabs with a free block. */
#ifndef HAKMEM_SAMPLE_OWN_SLABS_H
#define HAKMEM_SAMPLE_OWN_SLABS_H

#include "hakmem/slab/list.h"

/* Owner number of these slabs; threads count from 1. */
#define PROFILE_OWNER UINT32_MAX

/* A block of the class; *zeroed: it reads zero. NULL: no memory */
void *hak_own_slabs_take(struct slab_list *slabs, unsigned class_index, bool *zeroed);

/* Takes it back. One empty slab is kept. */
void hak_own_slabs_give_back(struct slab_list *slabs, unsigned class_index, void *p);

#endif
