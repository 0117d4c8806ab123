/* See quarantined.h. The look when a block leaves finds a write though the block may not be given out for long. */
#include "hakmem/magazine/quarantined.h"

#include "hakmem/base/report.h"
#include "hakmem/guard/block.h"
#include "hakmem/magazine/thread.h"

static HAK_COLD void quarantined_report(unsigned class_index, void *p) {
    const struct hak_misuse_report report = {
        .kind = HAK_MISUSE_WRITE_AFTER_FREE,
        .operation = "free",
        .p = p,
        .block = p,
        .block_size = hak_classes[class_index].block_size,
        .class_index = class_index,
        .owner = hak_load_relaxed(&slab_of(p)->owner),
        .thread = hak_self != NULL ? hak_self->number : 0,
    };
    guard_clear(p, report.block_size);
    report_misuse_of(&report);
}

uint32_t quarantined_pass(unsigned class_index, void *const *blocks, uint32_t count, void **leaving) {
    const uint32_t left = quarantine_pass(class_index, blocks, count, leaving);
    const uint32_t block_size = hak_classes[class_index].block_size;
    if (block_size > HAK_L2_MAX) {
        return left; /* a slab of its own, which is given out next: once is enough for so much to read */
    }
    for (uint32_t i = 0; i < left; i++) {
        if (HAK_UNLIKELY(!guard_block_is_untouched(leaving[i], block_size))) {
            quarantined_report(class_index, leaving[i]);
        }
    }
    return left;
}
