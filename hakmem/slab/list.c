/* SPDX-License-Identifier: MIT */
/* See list.h. */
#include "hakmem/slab/list.h"

#include "hakmem/slab/check.h"
#include "hakmem/space/units.h"

HAK_STATIC_ASSERT(HAK_ADDRESS_BITS - HAK_CHUNK_SHIFT <= 32, "the number of any chunk fits a link");

static uint32_t list_number(const struct slab *slab) { return (uint32_t)(slab_base(slab) >> HAK_CHUNK_SHIFT); }

/* Where the descriptor lies, by numbers alone: nothing needs to be mapped there. */
static struct slab *list_slab(uint32_t number) {
    const void *const chunk = (const void *)((uintptr_t)number << HAK_CHUNK_SHIFT);
    return (struct slab *)((uintptr_t)region_of(chunk) + offsetof(struct region, descriptors) +
                           region_chunk_of(chunk) * sizeof(struct region_descriptor));
}

/* The neighbour of `from` that a link leads to, which may be any number; NULL for 0. Most are in the region of `from`. */
static struct slab *list_follow(const struct slab *from, uint32_t number, const char *how) {
    struct slab *const to = number == 0 ? NULL : list_slab(number);
    slab_expect(to == NULL || region_of(to) == region_of(from) || hak_units_is_region(to), from, how);
    return to;
}

HAK_ALWAYS_INLINE struct slab *list_next(const struct slab *slab, enum slab_list_kind kind) {
    static const char how[] = "the next slab of its list does not point back";
    struct slab *next = list_follow(slab, slab->links[kind].next, how);
    slab_expect(next == NULL || next->links[kind].previous == list_number(slab), slab, how);
    return next;
}

struct slab *hak_list_next(const struct slab *slab, enum slab_list_kind kind) {
    return list_next(slab, kind);
}

struct slab *hak_list_first(const struct slab_list *list) {
    return list_is_empty(list) ? NULL : list_slab(list->first);
}

void hak_list_link(struct slab_list *list, enum slab_list_kind kind, struct slab *slab) {
    const uint32_t number = list_number(slab);
    slab->links[kind] = (struct slab_link){.next = list->first};
    *(list_is_empty(list) ? &list->last : &list_slab(list->first)->links[kind].previous) = number;
    list->first = number;
}

void hak_list_append(struct slab_list *list, enum slab_list_kind kind, struct slab *slab) {
    const uint32_t number = list_number(slab);
    slab->links[kind] = (struct slab_link){.previous = list->last};
    *(list_is_empty(list) ? &list->first : &list_slab(list->last)->links[kind].next) = number;
    list->last = number;
}

void hak_list_unlink(struct slab_list *list, enum slab_list_kind kind, struct slab *slab) {
    static const char how[] = "the slab before it in its list does not point to it";
    struct slab *const next = list_next(slab, kind);
    struct slab *const previous = list_follow(slab, slab->links[kind].previous, how);
    uint32_t *const to_it = previous == NULL ? &list->first : &previous->links[kind].next;
    uint32_t *const back_to_it = next == NULL ? &list->last : &next->links[kind].previous;
    slab_expect(*to_it == list_number(slab), slab, how);
    slab_expect(*back_to_it == list_number(slab), slab, "it is the last of its list, and the list ends elsewhere");
    *to_it = slab->links[kind].next;
    *back_to_it = slab->links[kind].previous;
}
