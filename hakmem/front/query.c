/* SPDX-License-Identifier: MIT */
/* hak_usable_size and hak_owner: what a pointer belongs to. */
#include "hakmem/front/block_class.h"
#include "hakmem/front/front_fast.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/watched.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/huge/huge.h"
#include "hakmem/region/region.h"
#include "hakmem/sample/own_slabs.h"

HAK_STATIC_ASSERT((int)HAK_SLAB_OWNED == (int)SLAB_OWNED && (int)HAK_SLAB_FULL == (int)SLAB_FULL &&
                      (int)HAK_SLAB_PARTIAL == (int)SLAB_PARTIAL,
                  "the public states are the slab layer's");

size_t hak_usable_size(const void *p) {
    p = bits_untagged(p);
    if (HAK_GUARD_FULL) {
        return hak_guarded_usable_size(p, __builtin_return_address(0));
    }
    if (WATCHER_RUNS()) {
        return hak_watched_usable_size(p);
    }
    return front_block_bytes(p, front_block_class(p));
}

static enum hak_pool query_pool(unsigned class_index) {
    if (class_index <= HAK_TINY_CLASS_LAST) {
        return HAK_POOL_TINY;
    }
    return class_index <= HAK_L2_CLASS_LAST ? HAK_POOL_L2 : HAK_POOL_L25;
}

/* Class of the block that p lies in, huge ones and those of nobody apart. */
static unsigned query_class(const void *p) {
    const unsigned class_index = hak_region_chunk_class(p);
    return class_index == 0 && sampling_was_on() ? hak_profile_find(p) : class_index;
}

/* Whom hak_owner names: no thread where the slab is the profile's. */
static uint64_t query_thread(const struct slab *slab) {
    /* Relaxed: a snapshot. */
    const uint32_t owner = hak_load_relaxed(&slab->owner);
    return owner != PROFILE_OWNER ? owner : 0;
}

bool hak_owner(const void *p, struct hak_owner_info *info) {
    p = bits_untagged(p);
    if (HAK_GUARD_FULL && hak_zero_size_is_live(p)) {
        *info = (struct hak_owner_info){.block = (void *)p, .pool = HAK_POOL_TINY, .class_index = HAK_TINY_CLASS_FIRST};
        return true;
    }
    const unsigned class_index = query_class(p);
    if (class_index == 0) {
        size_t size = 0; /* gcc 12 with -flto does not see that hak_huge_find sets it */
        void *start = hak_huge_find(p, &size);
        if (start == NULL) {
            return false;
        }
        *info = (struct hak_owner_info){.block = start, .block_size = size, .pool = HAK_POOL_HUGE};
        return true;
    }
    struct slab_position position;
    if (!slab_locate(p, class_index, &position)) {
        return false;
    }
    *info = (struct hak_owner_info){
        .block = (char *)p - position.offset,
        .block_size = hak_classes[class_index].block_size,
        .pool = query_pool(class_index),
        .class_index = class_index,
        .state = (enum hak_slab_state)hak_slab_state_of(position.slab),
        .thread = query_thread(position.slab),
    };
    return true;
}
