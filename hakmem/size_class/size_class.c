/* SPDX-License-Identifier: MIT */
/* The generated tables as data; see size_class.h. */
#include "hakmem/size_class/size_class.h"

/* Full magazines that HAK_STASH_BYTES has room for. */
#define CLASS_STASH_FITS(capacity, size) (HAK_STASH_BYTES / (LADDER_MAGAZINE(capacity) * (size)))
#define CLASS_STASH(capacity, size) \
    (CLASS_STASH_FITS(capacity, size) < HAK_STASH_MAX ? CLASS_STASH_FITS(capacity, size) : HAK_STASH_MAX)

#define CLASS_CONSTANTS(class_index, size, block_count, chunk_count, words, reciprocal_value, capacity) \
    [class_index] = {                                                                                   \
        .block_size = (size),                                                                           \
        .blocks = (block_count),                                                                        \
        .reciprocal = (reciprocal_value),                                                               \
        .bitmap_words = (words),                                                                        \
        .magazine = LADDER_MAGAZINE(capacity),                                                          \
        .chunks = (chunk_count),                                                                        \
        .stash = CLASS_STASH(capacity, size),                                                           \
    },

const struct hak_class hak_classes[HAK_CLASS_COUNT] = {HAK_ALL_CLASSES(CLASS_CONSTANTS)};

const uint8_t hak_size_class_table[HAK_SIZE_CLASS_TABLE_ENTRIES + 1] = HAK_SIZE_CLASS_TABLE;
const uint8_t hak_l2_class_table[HAK_L2_TABLE_ENTRIES + 1] = HAK_L2_CLASS_TABLE;
const uint8_t hak_l25_class_table[HAK_L25_TABLE_ENTRIES + 1] = HAK_L25_CLASS_TABLE;
