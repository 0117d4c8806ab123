/* SPDX-License-Identifier: MIT */
/* Lists of slabs, linked through `next` and `previous`. The caller holds the lock that guards the list.
 *
 * Before a link is followed or changed, the slab that it leads to has to be a descriptor of a region and to point back.
 * So a link that was overwritten is reported, and makes hakmem write nowhere. */
#ifndef HAKMEM_SLAB_LIST_H
#define HAKMEM_SLAB_LIST_H

#include "hakmem/slab/slab.h"

/* Makes the slab the first of the list. */
void hak_list_link(struct slab **first, struct slab *slab);

/* pre: the slab is in the list */
void hak_list_unlink(struct slab **first, struct slab *slab);

/* NULL: it is the last */
struct slab *hak_list_next(const struct slab *slab);

#endif
