/* SPDX-License-Identifier: MIT */
/* Random choices of full guard builds: which free block of a slab, which of a class's slabs. */
#ifndef HAKMEM_SLAB_RANDOM_H
#define HAKMEM_SLAB_RANDOM_H

#include "hakmem/slab/slab.h"

/* hak_slab_take with the free blocks chosen at random: a word of the bitmap, then a bit of it. */
uint32_t hak_slab_take_random(struct slab *slab, void **slots, uint32_t wanted, bool *zeroed);

/* One of the first few slabs of a list. pre: under the class lock, slab is not NULL */
struct slab *hak_slab_pick_random(struct slab *first);

#endif
