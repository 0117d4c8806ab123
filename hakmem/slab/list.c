/* SPDX-License-Identifier: MIT */
/* See list.h. */
#include "hakmem/slab/list.h"

#include "hakmem/slab/check.h"
#include "hakmem/space/units.h"

/* Whether a descriptor is at `to`, which may be any address, and may be read. Most are in the region of `from`. */
HAK_ALWAYS_INLINE bool list_is_descriptor(const struct slab *from, const struct slab *to) {
    const uintptr_t at = (uintptr_t)to - (uintptr_t)region_of(to) - offsetof(struct region, descriptors);
    return (HAK_LIKELY(region_of(to) == region_of(from)) || hak_units_is_region(to)) &&
           at < sizeof(((struct region *)0)->descriptors) && at % REGION_DESCRIPTOR_BYTES == 0;
}

HAK_ALWAYS_INLINE struct slab *list_next(const struct slab *slab) {
    struct slab *next = slab->next;
    slab_expect(next == NULL || (list_is_descriptor(slab, next) && next->previous == slab), slab,
                "the next slab of its list does not point back");
    return next;
}

struct slab *hak_list_next(const struct slab *slab) {
    return list_next(slab);
}

void hak_list_link(struct slab **first, struct slab *slab) {
    slab->previous = NULL;
    slab->next = *first;
    if (slab->next != NULL) {
        slab->next->previous = slab;
    }
    *first = slab;
}

void hak_list_unlink(struct slab **first, struct slab *slab) {
    struct slab *next = list_next(slab), *previous = slab->previous;
    struct slab **link = previous == NULL ? first : &previous->next;
    slab_expect((previous == NULL || list_is_descriptor(slab, previous)) && *link == slab, slab,
                "the slab before it in its list does not point to it");
    *link = next;
    if (next != NULL) {
        next->previous = previous;
    }
}
