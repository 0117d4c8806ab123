/* SPDX-License-Identifier: MIT */
/* How a size's class is found without switch P0: by comparing the size with one block size after the other. The product
 * reads a table (size_class/size_class.h). Tests hold each form against the other in every build.
 *
 * Also the experiment `magazine=half`. Constants and pure functions: any thread may call them. */
#ifndef HAKMEM_LADDER_CLASSES_H
#define HAKMEM_LADDER_CLASSES_H

#include "codegen/hak_classes.h"
#include "hakmem/base/compiler.h"
#include "hakmem/flags/flags.h"

#define LADDER_COMPARE(class_index, block_size, ...) \
    if (size <= (block_size)) {                      \
        return (class_index);                        \
    }

/* Class of a size; 0 where the pool's largest class is too small. The L2 and L2.5 forms give their first class for
 * sizes below the pool. */
HAK_ALWAYS_INLINE unsigned ladder_chain_tiny(size_t size) {
    HAK_TINY_CLASSES(LADDER_COMPARE)
    return 0;
}

HAK_ALWAYS_INLINE unsigned ladder_chain_l2(size_t size) {
    HAK_L2_CLASSES(LADDER_COMPARE)
    return 0;
}

HAK_ALWAYS_INLINE unsigned ladder_chain_l25(size_t size) {
    HAK_L25_CLASSES(LADDER_COMPARE)
    return 0;
}

#undef LADDER_COMPARE

/* The class that the build uses: `by_table`, which is what the table says, in the product. */
HAK_ALWAYS_INLINE unsigned ladder_class_tiny(size_t size, unsigned by_table) {
    return HAK_P0_CLASS_TABLE ? by_table : ladder_chain_tiny(size);
}

HAK_ALWAYS_INLINE unsigned ladder_class_l2(size_t size, unsigned by_table) {
    return HAK_P0_CLASS_TABLE ? by_table : ladder_chain_l2(size);
}

HAK_ALWAYS_INLINE unsigned ladder_class_l25(size_t size, unsigned by_table) {
    return HAK_P0_CLASS_TABLE ? by_table : ladder_chain_l25(size);
}

/* Blocks that a magazine has room for: as generated in the product. With `magazine=half` half of it, even and at least
 * 2, so that magazines are exchanged, and counts brought up to date, twice as often. */
#define LADDER_MAGAZINE(generated) (HAK_MAGAZINE_HALF ? ((generated) / 2 + 1) / 2 * 2 : (generated))

#endif
