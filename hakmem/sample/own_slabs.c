/* SPDX-License-Identifier: MIT */
/* See own_slabs.h. */
#include "hakmem/sample/own_slabs.h"

#include "hakmem/base/assert.h"
#include "hakmem/slab/slab.h"

void *hak_own_slabs_take(struct slab_list *slabs, unsigned class_index, bool *zeroed) {
    if (list_is_empty(slabs)) {
        struct slab *slab = hak_slab_create(class_index, PROFILE_OWNER);
        if (slab == NULL) {
            return NULL;
        }
        hak_region_span_hide((void *)slab_base(slab), hak_classes[class_index].chunks);
        hak_list_link(slabs, slab);
    }
    void *p;
    struct slab *slab = hak_list_first(slabs);
    hak_slab_take(slab, class_index, &p, 1, zeroed);
    if (slab->free_count == 0) {
        hak_list_unlink(slabs, slab);
    }
    return p;
}

void hak_own_slabs_give_back(struct slab_list *slabs, unsigned class_index, void *p) {
    struct slab *slab = slab_of(p);
    if (slab->free_count == 0) {
        hak_list_link(slabs, slab);
    }
    hak_slab_free_blocks(PROFILE_OWNER, class_index, &p, 1);
    const uint32_t blocks = hak_classes[class_index].blocks;
    const bool is_last = slabs->first == slabs->last;
    if (slab->free_count == blocks && !is_last) {
        hak_list_unlink(slabs, slab);
        const bool released = hak_slab_release_if_empty(slab, class_index);
        HAK_ASSERT(released);
        (void)released;
    }
}
