/* SPDX-License-Identifier: MIT */
/* See list.h. */
#include "hakmem/slab/list.h"

#include "hakmem/slab/check.h"
#include "hakmem/space/units.h"

HAK_STATIC_ASSERT(HAK_ADDRESS_BITS - HAK_CHUNK_SHIFT <= 32, "the number of any chunk fits a link");

HAK_ALWAYS_INLINE uint32_t list_number(const struct slab *slab) {
    return (uint32_t)(slab_base(slab) >> HAK_CHUNK_SHIFT);
}

/* Where the descriptor lies, by numbers alone: nothing needs to be mapped there. */
HAK_ALWAYS_INLINE struct slab *list_slab(uint32_t number) {
    const void *const chunk = (const void *)((uintptr_t)number << HAK_CHUNK_SHIFT);
    return (struct slab *)((uintptr_t)region_of(chunk) + offsetof(struct region, descriptors) +
                           region_chunk_of(chunk) * sizeof(struct region_descriptor));
}

/* The neighbour of `from`, which is slab number `own`, that a link leads to, which may be any number; NULL for 0. Most are
 * in the same region. */
HAK_ALWAYS_INLINE struct slab *list_follow(const struct slab *from, uint32_t own, uint32_t number, const char *how) {
    if (number == 0) {
        return NULL;
    }
    struct slab *const to = list_slab(number);
    slab_expect((number ^ own) < HAK_REGION_CHUNKS || hak_units_is_region(to), from, how);
    return to;
}

HAK_ALWAYS_INLINE struct slab *list_next(const struct slab *slab, uint32_t own) {
    static const char how[] = "the next slab of its list does not point back";
    struct slab *next = list_follow(slab, own, slab->link.next, how);
    slab_expect(next == NULL || next->link.previous == own, slab, how);
    return next;
}

struct slab *hak_list_next(const struct slab *slab) {
    return list_next(slab, list_number(slab));
}

struct slab *hak_list_first(const struct slab_list *list) {
    return list_is_empty(list) ? NULL : list_slab(list->first);
}

struct slab *hak_list_last(const struct slab_list *list) {
    return list_is_empty(list) ? NULL : list_slab(list->last);
}

void hak_list_link(struct slab_list *list, struct slab *slab) {
    const uint32_t number = list_number(slab);
    slab->link = (struct slab_link){.next = list->first};
    *(list_is_empty(list) ? &list->last : &list_slab(list->first)->link.previous) = number;
    list->first = number;
}

void hak_list_unlink(struct slab_list *list, struct slab *slab) {
    static const char how[] = "the slab before it in its list does not point to it";
    const uint32_t own = list_number(slab);
    struct slab *const next = list_next(slab, own);
    struct slab *const previous = list_follow(slab, own, slab->link.previous, how);
    uint32_t *const to_it = previous == NULL ? &list->first : &previous->link.next;
    uint32_t *const back_to_it = next == NULL ? &list->last : &next->link.previous;
    slab_expect(*to_it == own, slab, how);
    slab_expect(*back_to_it == own, slab, "it is the last of its list, and the list ends elsewhere");
    *to_it = slab->link.next;
    *back_to_it = slab->link.previous;
}
