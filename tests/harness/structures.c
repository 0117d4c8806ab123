/* SPDX-License-Identifier: MIT */
/* See structures.h. What is compared stands in slab.h, control.h, partial.c and region.h. */
#include "tests/harness/structures.h"

#include "hakmem/base/bits.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/os/os.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/region_list.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"

/* As in control.h and partial.c. */
#define COUNT_SHIFT 16
#define STATE_MASK 0x3fu
#define HAS_FREE 0x40u
#define PURGED 0x80u
#define LEVELS 4u

struct found {
    const struct region *region; /* of the span before */
    unsigned end;                /* the first chunk behind that span */
    uint64_t slabs, huge_blocks, huge_bytes;
    size_t unpurged, purged; /* bytes of listed slabs, as partial.h says */
};

/* ---- Slabs -------------------------------------------------------------------------------------------------------- */

static bool is_set(const uint64_t *words, unsigned i) { return (words[i / 64] >> i % 64 & 1) != 0; }

/* 0: fewer than an eighth of the blocks are free; 1 to 4: an eighth, a quarter, half, three quarters; 5: all are. */
static unsigned level_of(uint64_t free_blocks, uint64_t blocks) {
    static const unsigned eighths[] = {1, 2, 4, 6, 8};
    unsigned level = 0;
    while (level < 5 && 8 * free_blocks >= eighths[level] * blocks) level++;
    return level;
}

static void expect_chunks(struct region *region, unsigned first, unsigned class_index) {
    const unsigned end = first + hak_classes[class_index].chunks;
    HAK_EXPECT_LE(end, region->ready);
    HAK_EXPECT_GE(first, REGION_CHUNK_FIRST + region->skipped);
    for (unsigned chunk = first; chunk < end && chunk < HAK_REGION_CHUNKS; chunk++) {
        const void *const address = region_chunk_address(region, chunk);
        HAK_EXPECT(!is_set(region->free, chunk) && !is_set(region->dirty, chunk));
        HAK_EXPECT_EQ(region->span_first[chunk], first);
        /* One of the two is 0. */
        HAK_EXPECT_EQ(hak_region_chunk_class(address) + hak_region_hidden_class(address), class_index);
    }
}

/* Result: blocks that others freed and the owner has not taken back. */
static uint32_t expect_bits(const struct slab *slab, unsigned class_index) {
    const struct hak_class *const constants = &hak_classes[class_index];
    uint32_t free_blocks = 0, remote_blocks = 0;
    for (uint32_t word = 0, left = constants->blocks; word < constants->bitmap_words; word++) {
        const uint32_t here = left < 64 ? left : 64;
        const uint64_t free_bits = slab_free_bits(slab, class_index)[word];
        const uint64_t remote_bits = slab_remote_bits(slab, class_index)[word];
        HAK_EXPECT_EQ(free_bits & remote_bits, 0);
        HAK_EXPECT_EQ((free_bits | remote_bits) & ~bits_low_mask(here), 0);
        HAK_EXPECT(word >= slab->scan_word || free_bits == 0);
        free_blocks += bits_count(free_bits);
        remote_blocks += bits_count(remote_bits);
        left -= here;
    }
    HAK_EXPECT_EQ(slab->free_count, free_blocks);
    return remote_blocks;
}

/* A slab's neighbours in its list lead back to it. */
static void expect_links(const struct slab *slab) {
    const uint32_t own = (uint32_t)(slab_base(slab) >> HAK_CHUNK_SHIFT);
    const uint32_t next = slab->link.next, previous = slab->link.previous;
    if (next != 0) HAK_EXPECT_EQ(slab_of((void *)((uintptr_t)next << HAK_CHUNK_SHIFT))->link.previous, own);
    if (previous != 0) HAK_EXPECT_EQ(slab_of((void *)((uintptr_t)previous << HAK_CHUNK_SHIFT))->link.next, own);
}

static void expect_listed(const struct slab *slab, unsigned class_index, uint32_t free_blocks, bool is_purged,
                          struct found *found) {
    const struct hak_class *const constants = &hak_classes[class_index];
    HAK_EXPECT_EQ(slab->bucket, level_of(free_blocks, constants->blocks) + (is_purged ? LEVELS : 0));
    HAK_EXPECT_EQ(slab->listed_free != 0, !is_purged);
    HAK_EXPECT_EQ(free_blocks > slab->purged_free, !is_purged);
    expect_links(slab);
    found->unpurged += (size_t)slab->listed_free * constants->block_size;
    found->purged += (size_t)slab->purged_free * constants->block_size;
}

static void expect_slab(struct region *region, unsigned first, void *argument) {
    struct found *const found = argument;
    const struct slab *const slab = (const struct slab *)&region->descriptors[first];
    const uint64_t control = slab->control;
    const unsigned class_index = (unsigned)(control >> 8 & 0xff);
    HAK_EXPECT_EQ(hak_region_chunk_class(region_chunk_address(region, first)) +
                      hak_region_hidden_class(region_chunk_address(region, first)),
                  class_index);
    if (class_index == 0 || class_index >= HAK_CLASS_COUNT) return;
    expect_chunks(region, first, class_index);
    if (region == found->region) HAK_EXPECT_GE(first, found->end);
    found->region = region;
    found->end = first + hak_classes[class_index].chunks;
    found->slabs++;

    const uint32_t remote_blocks = expect_bits(slab, class_index);
    const int64_t count = (int64_t)control >> COUNT_SHIFT;
    const uint32_t free_blocks = slab->free_count + remote_blocks;
    const bool is_owned = (control & STATE_MASK) == SLAB_OWNED;
    const unsigned level = level_of(free_blocks, hak_classes[class_index].blocks);
    HAK_EXPECT_EQ(count, is_owned ? remote_blocks : free_blocks);
    HAK_EXPECT_EQ(slab->owner != SLAB_NOBODY, is_owned);
    HAK_EXPECT_EQ((control & HAS_FREE) != 0, !is_owned && slab->free_count != 0);
    if (is_owned) return;
    HAK_EXPECT_EQ(control & STATE_MASK, level == 0 ? SLAB_FULL : SLAB_PARTIAL);
    HAK_EXPECT_LE(level, LEVELS);
    if (level != 0) expect_listed(slab, class_index, free_blocks, (control & PURGED) != 0, found);
}

/* ---- Regions and huge blocks -------------------------------------------------------------------------------------- */

static void expect_region(struct region *region, size_t *dirty) {
    for (unsigned chunk = 0; chunk < HAK_REGION_CHUNKS; chunk++) {
        const bool is_free = is_set(region->free, chunk), is_dirty = is_set(region->dirty, chunk);
        if (is_free) HAK_EXPECT_EQ(hak_region_chunk_class(region_chunk_address(region, chunk)), 0);
        HAK_EXPECT(is_free || !is_dirty);
        HAK_EXPECT(!is_dirty || chunk < region->ready);
        HAK_EXPECT(!is_free || chunk >= REGION_CHUNK_FIRST + region->skipped);
        *dirty += is_dirty ? HAK_CHUNK_BYTES : 0;
    }
    HAK_EXPECT_LE(region->ready, region->reserved);
}

static void expect_huge(void *start, size_t size, void *argument) {
    struct found *const found = argument;
    HAK_EXPECT(size != 0 && size % hak_os_page_size() == 0);
    HAK_EXPECT_EQ(hak_region_chunk_class(start), 0);
    found->huge_blocks++;
    found->huge_bytes += size;
}

static bool pass_by(const struct hak_walk_block *block, void *argument) {
    (void)block;
    (void)argument;
    return true;
}

void structures_expect_sound(const char *file, int line) {
    const unsigned failures = harness_failure_count();
    struct found found = {0};
    struct hak_huge_totals huge = {0};
    struct hak_walk_result walked = {0};
    size_t dirty = 0, regions = 0;
    hak_region_for_each_span(expect_slab, &found);
    for (struct region *region = hak_regions.first; region != NULL; region = region->next, regions++)
        expect_region(region, &dirty);
    HAK_EXPECT_EQ(regions, hak_region_count_now());
    HAK_EXPECT_EQ(dirty, hak_region_dirty_bytes());
    HAK_EXPECT_EQ(found.unpurged, hak_partial_unpurged_bytes());
    HAK_EXPECT_EQ(found.purged, hak_partial_purged_bytes());
    HAK_EXPECT_EQ(found.slabs, census_slabs());
    hak_huge_for_each(expect_huge, &found);
    hak_huge_totals(&huge);
    HAK_EXPECT_EQ(found.huge_blocks, huge.live_blocks);
    HAK_EXPECT_EQ(found.huge_bytes, huge.live_bytes);
    CENSUS_EXPECT_CONSISTENT();
    HAK_EXPECT_EQ(hak_walk(pass_by, NULL, &walked), 0);
    /* Counts of a build that estimates them agree on average only. */
    if (census_all().exact) HAK_EXPECT_EQ(walked.blocks, census_live_blocks());
    if (harness_failure_count() != failures) harness_fail(file, line, "... when all structures were compared");
}
