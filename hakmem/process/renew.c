/* SPDX-License-Identifier: MIT */
/* See renew.h. What is live the shadow says, and the table of huge blocks: of what is free or waits in a quarantine nothing is
 * touched, so that nothing inaccessible is. */
#include "hakmem/process/renew.h"

#include "hakmem/guard/canary.h"
#include "hakmem/guard/guard.h"
#include "hakmem/huge/huge.h"
#include "hakmem/slab/slab.h"

static void renew_slab(struct region *region, unsigned first, void *former) {
    const struct slab *slab = (const struct slab *)&region->descriptors[first];
    unsigned class_index;
    if (hak_slab_state_and_class(slab, &class_index) == SLAB_EMPTY) {
        return; /* another thread was making it, or was giving it back */
    }
    const struct hak_class *constants = &hak_classes[class_index];
    char *block = region_chunk_address(region, first);
    for (uint32_t i = 0; i < constants->blocks; i++, block += constants->block_size) {
        if (shadow_class(block) == class_index) {
            hak_canary_rewrite(block, constants->block_size, former);
        }
    }
}

static void renew_huge(void *start, size_t size, void *former) { hak_canary_rewrite(start, size, former); }

void hak_renew_canaries(void) {
    if (guard_has(HAK_FEATURE_CANARY) && hak_canary_was_changed()) {
        struct canary_secrets former;
        hak_canary_renew(&former);
        hak_region_for_each_span(renew_slab, &former);
        hak_huge_for_each(renew_huge, &former);
    }
}
