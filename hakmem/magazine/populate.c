/* SPDX-License-Identifier: MIT */
/* See populate.h. Empty in the product. */
#include "hakmem/magazine/populate.h"

#include "hakmem/base/bits.h"
#include "hakmem/guard/guard.h"
#include "hakmem/os/os.h"

#if HAK_LEARN

/* Fresh blocks that lie side by side, from `start` to `end`. The page that they begin within is that of the block before them. false: the
 * kernel refuses */
static bool populate_run(uintptr_t start, uintptr_t end) {
    const uintptr_t page = hak_os_page_size();
    const uintptr_t from = bits_round_up(start, page), to = bits_round_up(end, page);
    return from >= to || hak_os_populate((void *)from, to - from) == 0;
}

static bool populate(const struct slab *slab, const struct hak_class *constants, uint32_t fresh_from) {
    const uintptr_t base = slab_base(slab), size = constants->block_size;
    const uint32_t turn = slab_turn(base, constants), wrap = constants->blocks - turn, to = slab->fresh_from;
    const uintptr_t first =
        base + turn * size; /* of block 0; from block `wrap` on they lie at the slab's start, up to there */
    bool is_done = true;
    if (fresh_from < wrap) {
        /* Nobody had the page that block 0 begins within. */
        const uintptr_t start = fresh_from == 0 ? first & ~(hak_os_page_size() - 1) : first + fresh_from * size;
        is_done = populate_run(start, first + (to < wrap ? to : wrap) * size);
    }
    if (to > wrap) {
        const uint32_t from = fresh_from > wrap ? fresh_from - wrap : 0;
        is_done &= populate_run(base + from * size, base + (to - wrap) * size);
    }
    return is_done;
}

/* Charges bytes and not pages, or the same calls would cost more where a slab's first block lies elsewhere: the address says where. */
void hak_exchange_populate(struct hak_thread *thread, unsigned class_index, const struct slab *slab,
                           uint32_t fresh_from) {
    const struct hak_class *constants = &hak_classes[class_index];
    /* Blocks that are taken at random leave gaps. */
    if (!slab->zeroed || slab->fresh_from == fresh_from || (HAK_GUARD_FULL && guard_has(HAK_FEATURE_RANDOM))) {
        return;
    }
    const uint32_t bytes = (slab->fresh_from - fresh_from) * constants->block_size;
    struct ladder_learning *learning = exchange_learning(thread);
    enum ladder_work work = LADDER_WORK_FAULT;
    if (ladder_player(learning, class_index)->populates) {
        hak_ladder_charge_bytes(learning, class_index, LADDER_WORK_POPULATE, bytes < 4096 ? bytes : 4096);
        work = populate(slab, constants, fresh_from) ? LADDER_WORK_POPULATE_PAGE : LADDER_WORK_FAULT;
    }
    hak_ladder_charge_bytes(learning, class_index, work, bytes);
}

#endif
