/* SPDX-License-Identifier: MIT */
/* A block that two threads free at once, as the drain of its slab meets it. */
#include "hakmem/process/begin.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"

#define CLASS 1u
#define SELF 1001u
#define OTHER 1002u

static void *blocks[HAK_CHUNK_BYTES / 8];

static struct slab *full_slab(void) {
    bool zeroed;
    hak_process_begin();
    struct slab *slab = hak_slab_create(CLASS, SELF);
    HAK_EXPECT(slab != NULL);
    HAK_EXPECT_EQ(hak_slab_take(slab, CLASS, blocks, hak_classes[CLASS].blocks, &zeroed), hak_classes[CLASS].blocks);
    return slab;
}

/* Two threads free a block at the same moment, and neither sees the other's bit: the drain does, reports it, and counts it once. */
static void drain_what_is_free(unsigned bit) {
    struct slab *slab = full_slab();
    uint64_t *const free_bits = slab_free_bits(slab, CLASS), *const remote_bits = slab_remote_bits(slab, CLASS);
    uint32_t word = 0;
    const uint64_t both = (uint64_t)1 << bit;
    hak_slab_free_blocks(OTHER, CLASS, blocks, hak_classes[CLASS].blocks);
    while ((remote_bits[word] & both) == 0) word++;
    free_bits[word] |= both;
    slab->free_count++;
    HAK_EXPECT_EQ(hak_slab_drain(slab, CLASS), hak_classes[CLASS].blocks - 1);
    HAK_EXPECT_EQ(slab->free_count, hak_classes[CLASS].blocks);
    HAK_EXPECT_EQ(hak_slab_drain(slab, CLASS), 0);
}

HAK_TEST_ISOLATED(SlabTwice, DrainReportsWhatIsFreeAlready, "HAKMEM_ON_MISUSE=abort") {
    hak_process_begin();
    for (unsigned bit = 0; bit < 64; bit += 9) HAK_EXPECT_DEATH(drain_what_is_free(bit), "double free");
}

HAK_TEST_ISOLATED(SlabTwice, DrainCountsWhatIsFreeAlreadyOnce, "HAKMEM_ON_MISUSE=ignore") {
    for (unsigned bit = 0; bit < 64; bit += 9) drain_what_is_free(bit);
}
