/* SPDX-License-Identifier: MIT */
/* What the full guard build does to blocks besides finding invalid frees: its features, and its beginning.
 *
 * Each layer calls what concerns it, behind a plain `if (HAK_GUARD_FULL)`:
 *
 *     block.h       front             a block is given out, or comes back: cleared, checked, its canary
 *     zero_size.h   front             blocks of size 0
 *     quarantine.h  magazine, huge    between a free and the bitmaps, or the kept mappings
 *     random.h      slab              which free block
 *     pages.h       slab, region, huge  inaccessible pages behind what blocks lie in
 *     metadata.h    region, magazine, huge  and around hakmem's own data
 *
 * What each feature finds and costs stands in docs/guard.md. */
#ifndef HAKMEM_GUARD_GUARD_H
#define HAKMEM_GUARD_GUARD_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/options.h"
#include "hakmem/flags/guard.h"

/* Whether a feature is on; constantly false in other builds. */
HAK_ALWAYS_INLINE bool guard_has(enum hak_feature feature) {
    return HAK_GUARD_FULL && (hak_options.guard & (unsigned)feature) != 0;
}

/* Takes the secret, reserves what the features need; those that the system refuses it switches off, with a warning.
 * Called once, by hak_process_begin, when the options are known and before the first block. */
void hak_guard_init(void);

/* In the child: it is to choose otherwise than its parent and its siblings. Its canaries are process/renew.h's. */
void hak_guard_fork_child(void);

#endif
