/* SPDX-License-Identifier: MIT */
/* Lists of slabs, linked through slab->link. The caller holds the lock that guards the list.
 *
 * A link is the number of the slab's first chunk in the address space, so that it fits beside what is written with it.
 * Before a link is followed or changed, the slab that it leads to has to be a descriptor of a region and to point back. So
 * a link that was overwritten is reported, and makes hakmem write nowhere. */
#ifndef HAKMEM_SLAB_LIST_H
#define HAKMEM_SLAB_LIST_H

#include "hakmem/slab/slab.h"

/* All zero: an empty list. */
struct slab_list {
    uint32_t first, last; /* as the links */
};

HAK_ALWAYS_INLINE bool list_is_empty(const struct slab_list *list) { return list->first == 0; }

/* Makes the slab the first of the list. pre: it is in no list */
void hak_list_link(struct slab_list *list, struct slab *slab);

/* pre: the slab is in the list */
void hak_list_unlink(struct slab_list *list, struct slab *slab);

/* NULL: the list is empty */
struct slab *hak_list_first(const struct slab_list *list);
struct slab *hak_list_last(const struct slab_list *list);

/* NULL: it is the last */
struct slab *hak_list_next(const struct slab *slab);

#endif
