/* SPDX-License-Identifier: MIT */
/* See sized.h. */
#include "hakmem/front/sized.h"

#include "hakmem/base/config.h"
#include "hakmem/front/block_class.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/misuse.h"
#include "hakmem/guard/block.h"
#include "hakmem/huge/huge.h"

/* A huge block is as long as its size, in whole chunks. */
static bool sized_huge_fits(size_t usable, size_t size) {
    return size <= usable && bits_round_up(size == 0 ? 1 : size, HAK_CHUNK_BYTES) == usable;
}

static bool sized_alignment_fits(const void *p, unsigned class_index, size_t alignment) {
    return bits_is_power_of_two(alignment) && (uintptr_t)p % alignment == 0 &&
           (class_index == 0 || front_class_is_aligned(class_index, alignment));
}

static bool sized_size_fits(unsigned class_index, size_t usable, size_t size, size_t alignment) {
    const unsigned expected =
        alignment == FRONT_ALIGNMENT_NONE ? size_class_of(size) : front_aligned_class(alignment, size);
    return expected == class_index && (class_index != 0 || sized_huge_fits(usable, size));
}

static bool sized_report(enum hak_misuse kind, const char *operation, const void *p, const void *caller) {
    hak_misuse_report_block(kind, operation, p, caller);
    return false;
}

/* `size` is NULL where the caller does not know it. */
HAK_ALWAYS_INLINE bool sized_fits(const char *operation, const void *p, const size_t *size, size_t alignment,
                                  const void *caller) {
    p = bits_untagged(p);
    const unsigned class_index = front_block_class(p);
    const size_t usable = class_index != 0 ? hak_classes[class_index].block_size : hak_huge_usable_size(p);
    if (usable == 0) {
        return true;
    }
    if (!sized_alignment_fits(p, class_index, alignment)) {
        return sized_report(HAK_MISUSE_ALIGNMENT, operation, p, caller);
    }
    if (size == NULL) {
        return true;
    }
    if (HAK_GUARD_FULL && !hak_guarded_size_fits(p, usable, *size, caller)) {
        return sized_report(HAK_MISUSE_SIZE, operation, p, caller);
    }
    const size_t asked = HAK_GUARD_FULL && *size <= PTRDIFF_MAX ? guard_block_padded(*size) : *size;
    return sized_size_fits(class_index, usable, asked, alignment) ||
           sized_report(HAK_MISUSE_SIZE, operation, p, caller);
}

bool hak_front_fits(const char *operation, const void *p, size_t size, size_t alignment, const void *caller) {
    return sized_fits(operation, p, &size, alignment, caller);
}

bool hak_front_alignment_fits(const char *operation, const void *p, size_t alignment, const void *caller) {
    return sized_fits(operation, p, NULL, alignment, caller);
}

void hak_free_sized(void *p, size_t size) {
    if (p == NULL) {
        return;
    }
    const void *caller = __builtin_return_address(0);
    if (HAK_GUARD_EXACT) {
        if (!hak_front_fits("free_sized", p, size, FRONT_ALIGNMENT_NONE, caller)) {
            return;
        }
    } else {
        const size_t usable = hak_usable_size(p);
        /* A pointer that is no block is left to hak_free, which says so. */
        if (usable != 0 && size > usable) {
            hak_misuse_report_block(HAK_MISUSE_SIZE, "free_sized", p, caller);
            return;
        }
    }
    hak_free(p);
}
