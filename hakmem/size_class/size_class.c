/* The generated tables as data; see size_class.h. */
#include "hakmem/size_class/size_class.h"

#define CLASS_CONSTANTS(class_index, size, block_count, chunk_count, words, reciprocal_value, capacity) \
    [class_index] = {                                                                                    \
        .block_size = (size),                                                                            \
        .blocks = (block_count),                                                                         \
        .reciprocal = (reciprocal_value),                                                                \
        .bitmap_words = (words),                                                                         \
        .magazine = (capacity),                                                                          \
        .chunks = (chunk_count),                                                                         \
    },

const struct hak_class hak_classes[HAK_CLASS_COUNT] = {HAK_ALL_CLASSES(CLASS_CONSTANTS)};

const uint8_t hak_size_class_table[HAK_SIZE_CLASS_TABLE_ENTRIES + 1] = HAK_SIZE_CLASS_TABLE;
const uint8_t hak_l2_class_table[HAK_L2_TABLE_ENTRIES + 1] = HAK_L2_CLASS_TABLE;
const uint8_t hak_l25_class_table[HAK_L25_TABLE_ENTRIES + 1] = HAK_L25_CLASS_TABLE;
