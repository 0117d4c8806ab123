/* SPDX-License-Identifier: MIT */
/* See layout.h. The order is that of NUMBERS in tools/cli/memory_layout.py. */
#include "hakmem/observe/layout.h"

#include "hakmem/flags/guard.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/record.h"
#include "hakmem/region/block_table.h"
#include "hakmem/region/region_list.h"
#include "hakmem/sample/live.h"

/* "used": nothing but its magic refers to it. */
__attribute__((used)) const struct layout hak_layout = {
    .magic = LAYOUT_MAGIC,
    .addresses = {&hak_regions.first, &hak_records, &hak_huge_blocks, hak_live_groups, hak_classes},
    .numbers =
        {
            HAK_GUARD,
            HAK_REGION_BYTES,
            HAK_CHUNK_BYTES,
            HAK_REGION_CHUNKS,
            sizeof(struct region),
            offsetof(struct region, next),
            offsetof(struct region, span_first),
            offsetof(struct region, chunk_class),
            REGION_HIDDEN,
            offsetof(struct region, descriptors),
            REGION_DESCRIPTOR_BYTES,
            offsetof(struct region, free_bits),
            offsetof(struct region, remote_bits),
            HAK_BITMAP_WORDS_MAX,
            offsetof(struct slab, owner),
            offsetof(struct slab, control),
            offsetof(struct slab, inline_free_bits),
            offsetof(struct slab, inline_remote_bits),
            SLAB_INLINE_WORDS,
            HAK_CLASS_COUNT,
            sizeof(struct hak_class),
            offsetof(struct hak_class, block_size),
            offsetof(struct hak_class, blocks),
            offsetof(struct hak_class, bitmap_words),
            offsetof(struct hak_class, magazine),
            offsetof(struct hak_class, chunks),
            offsetof(struct hak_thread, older),
            offsetof(struct hak_thread, tops),
            offsetof(struct hak_thread, tid),
            offsetof(struct hak_thread, number),
            offsetof(struct hak_thread, loaded),
            offsetof(struct hak_thread, returned),
            sizeof(struct hak_thread_class),
            offsetof(struct hak_thread_class, unused_slots),
            offsetof(struct hak_thread_class, loaded_unused),
            offsetof(struct hak_thread_class, stashed),
            offsetof(struct hak_thread, stashes),
            sizeof(struct hak_thread_stash),
            offsetof(struct hak_thread, samples) + offsetof(struct hak_thread_sample, parked),
            sizeof(struct hak_thread_sample),
            MAGAZINE_SLOTS,
            sizeof(struct block_entry),
            offsetof(struct block_entry, start),
            offsetof(struct block_entry, size),
            offsetof(struct block_table, capacity),
            LIVE_PLACES,
            LIVE_GROUP,
        },
};
