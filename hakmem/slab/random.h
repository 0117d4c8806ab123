/* SPDX-License-Identifier: MIT */
/* Random choices of full guard builds: of a free block in a slab, and of a slab of a class. */
#ifndef HAKMEM_SLAB_RANDOM_H
#define HAKMEM_SLAB_RANDOM_H

#include "hakmem/slab/slab.h"

/* As hak_slab_take, but chooses the blocks at random: first a word of the bitmap, then a bit of it. */
uint32_t hak_slab_take_random(struct slab *slab, unsigned class_index, void **slots, uint32_t wanted, bool *zeroed);

/* Chooses one of the first few slabs of a list. pre: under the class lock; `first` is not NULL */
struct slab *hak_slab_pick_random(struct slab *first);

#endif
