/* SPDX-License-Identifier: MIT */
/* Which class serves a size, by the generated tables, and each class's constants.
 *
 * All pools share one numbering of classes: 0 means "no class", then come those of tiny, L2 and L2.5. Everything here
 * is constant; any thread may use it. */
#ifndef HAKMEM_SIZE_CLASS_SIZE_CLASS_H
#define HAKMEM_SIZE_CLASS_SIZE_CLASS_H

#include "codegen/hak_classes.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/ladder/classes.h"

/* Constants of a class; source: the generator. */
struct hak_class {
    uint32_t block_size;   /* bytes */
    uint32_t blocks;       /* a slab */
    uint32_t reciprocal;   /* block index = offset * reciprocal >> HAK_RECIPROCAL_SHIFT */
    uint16_t bitmap_words; /* of 64 bits, a slab */
    uint16_t magazine;     /* blocks a magazine; even */
    uint16_t chunks;       /* a slab */
    uint16_t stash;        /* full magazines that a thread may keep beside its two */
};

extern const struct hak_class hak_classes[HAK_CLASS_COUNT];

/* One entry of class 0 follows the last size, so that larger sizes can be clamped to it. */
extern HAK_NEAR const uint8_t hak_size_class_table[HAK_SIZE_CLASS_TABLE_ENTRIES + 1];
extern const uint8_t hak_l2_class_table[HAK_L2_TABLE_ENTRIES + 1];
extern const uint8_t hak_l25_class_table[HAK_L25_TABLE_ENTRIES + 1];

/* The table's answer: 0 where the pool's largest class is too small. The index is clamped by a conditional move to the
 * entry of class 0. */
HAK_ALWAYS_INLINE unsigned size_class_tiny_table(size_t size) {
    size_t clamped = size > HAK_TINY_MAX ? HAK_TINY_MAX + 1 : size;
    return hak_size_class_table[(clamped + (HAK_TABLE_GRANULARITY - 1)) >> HAK_TABLE_SHIFT];
}

/* pre: size >= 1 */
HAK_ALWAYS_INLINE unsigned size_class_l2_table(size_t size) {
    size_t index = (size - 1) >> HAK_L2_TABLE_SHIFT;
    return hak_l2_class_table[index > HAK_L2_TABLE_ENTRIES ? HAK_L2_TABLE_ENTRIES : index];
}

/* pre: size >= 1 */
HAK_ALWAYS_INLINE unsigned size_class_l25_table(size_t size) {
    size_t index = (size - 1) >> HAK_L25_TABLE_SHIFT;
    return hak_l25_class_table[index > HAK_L25_TABLE_ENTRIES ? HAK_L25_TABLE_ENTRIES : index];
}

/* Class that serves a size; 0 if the pool's largest class is too small. */
HAK_ALWAYS_INLINE unsigned size_class_tiny(size_t size) { return ladder_class_tiny(size, size_class_tiny_table(size)); }

HAK_ALWAYS_INLINE unsigned size_class_l2(size_t size) { return ladder_class_l2(size, size_class_l2_table(size)); }

HAK_ALWAYS_INLINE unsigned size_class_l25(size_t size) { return ladder_class_l25(size, size_class_l25_table(size)); }

/* Class of any size over all pools; 0 above L2.5. For slow paths. */
HAK_ALWAYS_INLINE unsigned size_class_of(size_t size) {
    if (size <= HAK_TINY_MAX) {
        return size_class_tiny(size);
    }
    return size <= HAK_L2_MAX ? size_class_l2(size) : size_class_l25(size);
}

#endif
