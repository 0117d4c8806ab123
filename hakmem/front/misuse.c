/* SPDX-License-Identifier: MIT */
/* See misuse.h. */
#include "hakmem/front/misuse.h"

#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/kept.h"
#include "hakmem/region/region.h"

static void misuse_report_with(enum hak_misuse kind, const char *operation, const void *p,
                               const struct hak_owner_info *info, const void *caller) {
    const struct hak_misuse_report report = {
        .kind = kind,
        .operation = operation,
        .p = p,
        .caller = caller,
        .block = info->block,
        .block_size = info->block_size,
        .class_index = info->class_index,
        .owner = info->thread,
        .thread = hak_self != NULL ? hak_self->number : 0,
    };
    hak_report_misuse_of(&report);
}

/* *info: of the block that p lies in, where there is one. pre: no live block starts at p */
static enum hak_misuse misuse_kind(enum hak_misuse freed, const void *p, struct hak_owner_info *info) {
    if (hak_owner(p, info)) {
        /* A block that starts at p is not live, or nobody would ask; only builds with guard know such. */
        return info->block == p ? freed : HAK_MISUSE_INTERIOR;
    }
    if (HAK_GUARD_FULL && hak_zero_size_has(p)) {
        return (uintptr_t)p % ZERO_SIZE_ALIGNMENT == 0 ? freed : HAK_MISUSE_INTERIOR;
    }
    /* All blocks that were here are free, and their memory waits for its next use. */
    const bool was_ours =
        hak_region_contains(p) || hak_kept_contains(p) || (HAK_GUARD_FULL && hak_quarantine_has_huge(p));
    return was_ours ? freed : HAK_MISUSE_FOREIGN;
}

void hak_misuse_stop(enum hak_misuse freed, const char *operation, const void *p, const void *caller) {
    struct hak_owner_info info = {0};
    hak_process_begin(); /* this may be the first call of all; what to do about misuse is an option */
    const enum hak_misuse kind = misuse_kind(freed, p, &info);
    misuse_report_with(kind, operation, p, &info, caller);
}

bool hak_misuse_is_foreign(const void *p) {
    struct hak_owner_info info = {0};
    return misuse_kind(HAK_MISUSE_FREED, p, &info) == HAK_MISUSE_FOREIGN;
}

void hak_misuse_report_block(enum hak_misuse kind, const char *operation, const void *p, const void *caller) {
    struct hak_owner_info info = {0};
    (void)hak_owner(p, &info);
    misuse_report_with(kind, operation, p, &info, caller);
}
