/* SPDX-License-Identifier: MIT */
/* What guard full does to blocks, from inside and through the public interface, all features on. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "hakmem/front/guarded.h"
#include "hakmem/guard/block.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/random.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/hakmem.h"
#include "hakmem/process/begin.h"
#include "hakmem/size_class/size_class.h"
#include "hakmem/slab/moving.h"
#include "hakmem/slab/random.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/unit/guard_sizes.h"

/* ---- Canaries ---- */

static char block[4096] __attribute__((aligned(16)));

HAK_TEST(Canary, ReadsWhatWasWrittenForEverySizeAndBlock) {
    for (size_t block_bytes = 16; block_bytes <= 512; block_bytes += 16) {
        for (size_t size = 0; size + CANARY_BYTES <= block_bytes; size++) {
            size_t read = SIZE_MAX;
            canary_write(block, block_bytes, size);
            HAK_EXPECT(canary_read(block, block_bytes, &read));
            HAK_EXPECT_EQ(read, size);
        }
    }
}

HAK_TEST(Canary, WritesNothingBeforeTheEndOfWhatWasAskedForNorBehindTheBlock) {
    for (size_t block_bytes = 16; block_bytes <= 256; block_bytes += 16) {
        for (size_t size = 0; size + CANARY_BYTES <= block_bytes; size++) {
            memset(block, 0x5a, sizeof block);
            canary_write(block, block_bytes, size);
            for (size_t i = 0; i < size; i++) HAK_EXPECT_EQ(block[i], 0x5a);
            for (size_t i = block_bytes; i < block_bytes + 16; i++) HAK_EXPECT_EQ(block[i], 0x5a);
        }
    }
}

/* A byte of the fill or of the trailer, set to every other value. Behind a long fill nothing is kept. */
HAK_TEST(Canary, FindsEveryChangeOfAnyByte) {
    for (size_t block_bytes = 16; block_bytes <= 144; block_bytes += 16) {
        for (size_t size = 0; size + CANARY_BYTES <= block_bytes; size += 3) {
            canary_write(block, block_bytes, size);
            for (size_t i = size; i < block_bytes; i++) {
                if (i >= size + CANARY_FILL_BYTES && i < block_bytes - CANARY_BYTES) continue;
                const char before = block[i];
                for (unsigned change = 1; change < 256; change++) {
                    size_t read = SIZE_MAX;
                    block[i] = (char)(before ^ (char)change);
                    /* Another slack is believed only where the fill that it implies is whole. */
                    HAK_EXPECT(!canary_read(block, block_bytes, &read));
                }
                block[i] = before;
            }
        }
    }
}

HAK_TEST(Canary, AStringsEndNeverLooksLikeIt) {
    for (size_t size = 0; size + CANARY_BYTES <= 64; size++) {
        canary_write(block, 64, size);
        HAK_EXPECT_NE(block[size], 0);
    }
}

HAK_TEST(Canary, DiffersFromBlockToBlock) { HAK_EXPECT_NE(canary_word(block), canary_word(block + 16)); }

/* What the word was made of, but for the bits that are always 1, if it were one number folded once. */
static uint64_t unfolded(const void *p) {
    const uint64_t word = canary_word(p);
    return (word ^ word >> 32) & ~(uint64_t)0x0101010101010101u;
}

/* Whether it is a sum of eight numbers from -2 to 2, each times its power of 256: what the bits that are not known make. */
static bool is_small_in_each_byte(uint64_t sum) {
    for (unsigned i = 0; i < 8; i++) {
        const int byte = (int8_t)sum;
        if (byte < -2 || byte > 2) return false;
        sum = (sum - (uint64_t)(int64_t)byte) >> 8;
    }
    return true;
}

/* Three words of four blocks that differ in two bits of their addresses do not tell the fourth, as they do where a word is a sum
 * of what the bits of the address are worth. */
HAK_TEST(Canary, OtherWordsDoNotTellOne) {
    static char slab[1 << 16] __attribute__((aligned(1 << 16)));
    unsigned told = 0;
    for (size_t i = 0; i < sizeof slab; i += 128) {
        for (size_t x = 128; x < sizeof slab / 2; x *= 2) {
            const size_t y = 2 * x, corner = i & ~(x | y);
            told += is_small_in_each_byte(unfolded(slab + corner) + unfolded(slab + corner + x + y) -
                                          unfolded(slab + corner + x) - unfolded(slab + corner + y));
        }
    }
    HAK_EXPECT_EQ(told, 0);
}

/* ---- Blocks ---- */

HAK_TEST(Guard, UsableSizeIsWhatWasAskedFor) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        void *p = hak_alloc(sizes[i]);
        HAK_EXPECT_EQ(hak_usable_size(p), sizes[i]);
        p = hak_realloc(p, sizes[i] + 1);
        HAK_EXPECT_EQ(hak_usable_size(p), sizes[i] + 1);
        hak_free(p);
        p = hak_aligned_alloc(64, sizes[i]);
        HAK_EXPECT_EQ(hak_usable_size(p), sizes[i]);
        HAK_EXPECT_EQ((uintptr_t)p % 64, 0);
        hak_free_sized(hak_calloc(1, sizes[i]), sizes[i]);
        hak_free(p);
    }
}

/* Only what is asked for is copied: the canary behind the old block would be found in the new one. */
HAK_TEST(Guard, ReallocCopiesWhatWasAskedForAndNoMore) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        char *p = (char *)hak_alloc(sizes[i]);
        memset(p, 0x5a, sizes[i]);
        const size_t grown = 2 * sizes[i] + 64;
        p = (char *)hak_realloc(p, grown);
        for (size_t k = 0; k < sizes[i]; k++) HAK_ASSERT_TRUE(p[k] == 0x5a);
        /* A block is clear when it is given out. */
        for (size_t k = sizes[i]; k < grown; k++) HAK_ASSERT_TRUE(p[k] == 0);
        hak_free(p);
    }
}

HAK_TEST(Guard, ReallocToImpossibleSizesKeepsTheBlock) {
    const size_t impossible[] = {SIZE_MAX,   SIZE_MAX - 1, SIZE_MAX - 7, SIZE_MAX - 8, (size_t)PTRDIFF_MAX + 1,
                                 PTRDIFF_MAX};
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        void *p = hak_alloc(sizes[i]);
        for (unsigned k = 0; k < sizeof impossible / sizeof *impossible; k++) {
            errno = 0;
            HAK_EXPECT_PTR_EQ(hak_realloc(p, impossible[k]), NULL);
            HAK_EXPECT_EQ(errno, ENOMEM);
            HAK_EXPECT_EQ(hak_usable_size(p), sizes[i]);
        }
        hak_free(p);
    }
}

HAK_TEST(Guard, FreedBlocksAreClear) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        if (sizes[i] >= GUARD_LARGE_BYTES) continue; /* nobody may look */
        for (unsigned round = 0; round < 100; round++) {
            unsigned char *p = (unsigned char *)hak_alloc(sizes[i]);
            memset(p, 0x5a, sizes[i]);
            hak_free(p);
            for (size_t k = 0; k < sizes[i]; k++) HAK_ASSERT_TRUE(p[k] == 0);
        }
    }
}

static void overflow(size_t size, size_t bytes) {
    char *p = (char *)hak_alloc(size);
    memset(p + size, 'x', bytes);
    hak_free(p);
}

static void overflow_then_realloc(size_t size) {
    char *p = (char *)hak_alloc(size);
    p[size] = 0;
    p = (char *)hak_realloc(p, size + 1);
}

static void overflow_then_ask(size_t size) {
    char *p = (char *)hak_alloc(size);
    p[size] = 0;
    hak_usable_size(p);
}

HAK_TEST(Guard, OverflowsAreFound) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        HAK_EXPECT_DEATH(overflow(sizes[i], 1), "free.*overflow: bytes behind");
        HAK_EXPECT_DEATH(overflow(sizes[i], 8), "free.*overflow: bytes behind");
        HAK_EXPECT_DEATH(overflow_then_realloc(sizes[i]), "realloc.*overflow: bytes behind");
        HAK_EXPECT_DEATH(overflow_then_ask(sizes[i]), "malloc_usable_size.*overflow: bytes behind");
    }
}

static void write_and_allocate(size_t size) {
    volatile char *p = (volatile char *)hak_alloc(size);
    hak_free((void *)p);
    p[0] = 'x';
    for (unsigned i = 0; i < 20000; i++) hak_free(hak_alloc(size));
}

HAK_TEST(Guard, WritesAfterFreeAreFound) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        if (sizes[i] < GUARD_LARGE_BYTES) {
            HAK_EXPECT_DEATH(write_and_allocate(sizes[i]), "write after free: the block");
        } else {
            HAK_EXPECT_DEATH(write_and_allocate(sizes[i]), ""); /* SIGSEGV */
        }
    }
}

static void free_with_size(size_t size, size_t told) { hak_free_sized(hak_alloc(size), told); }

HAK_TEST(Guard, SizesThatFreesAreToldAreHeldToTheByte) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        HAK_EXPECT_DEATH(free_with_size(sizes[i], sizes[i] + 1), "wrong size");
        HAK_EXPECT_EXIT_OK(free_with_size(sizes[i], sizes[i]));
    }
}

/* ---- Blocks of size 0 ---- */

HAK_TEST(Guard, BlocksOfSizeZeroAreDistinctAndInaccessible) {
    enum { BLOCKS = 1000 };
    static char *blocks[BLOCKS];
    const uint64_t live = census_live_blocks();
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = (char *)hak_alloc(0);
        HAK_EXPECT_EQ((uintptr_t)blocks[i] % 16, 0);
        HAK_EXPECT_EQ(hak_usable_size(blocks[i]), 0);
        for (unsigned k = 0; k < i; k++) HAK_ASSERT_TRUE(blocks[k] != blocks[i]);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live + BLOCKS);
    HAK_EXPECT_DEATH(*(volatile char *)blocks[0], "");
    HAK_EXPECT_DEATH(*(volatile char *)blocks[7] = 1, "");
    HAK_EXPECT_DEATH(
        {
            hak_free(blocks[1]);
            hak_free(blocks[1]);
        },
        "double free");
    HAK_EXPECT_DEATH(hak_free(blocks[1] + 8), "interior pointer");
    char *grown = (char *)hak_realloc(blocks[0], 100);
    HAK_EXPECT_EQ(hak_usable_size(grown), 100);
    hak_free(grown);
    for (unsigned i = 1; i < BLOCKS; i++) hak_free(blocks[i]);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST(Guard, AFreedAddressOfSizeZeroComesAgainLate) {
    void *p = hak_alloc(0);
    hak_free(p);
    for (unsigned i = 0; i < 10000; i++) {
        void *q = hak_alloc(0);
        HAK_ASSERT_TRUE(q != p);
        hak_free(q);
    }
}

/* ---- Quarantine ---- */

HAK_TEST_ISOLATED(Quarantine, GivesEverythingBackOnceAndCountsIt, "") {
    enum { BLOCKS = 5000 };
    static bool seen[BLOCKS];
    const unsigned class_index = 3;
    const uint64_t before = hak_quarantine_blocks(class_index);
    void *leaving[QUARANTINE_BATCH];
    uint32_t left = 0;
    HAK_EXPECT_EQ(before, 0);
    for (uintptr_t i = 0; i < BLOCKS; i++) {
        void *p = (void *)(16 * (i + 1));
        uint32_t count = hak_quarantine_pass(class_index, 2, &p, 1, leaving);
        while (count > 0) {
            const uintptr_t k = (uintptr_t)leaving[--count] / 16 - 1;
            HAK_EXPECT(k < i && !seen[k]);
            seen[k] = true;
            left++;
        }
        HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), i + 1 - left);
    }
    HAK_EXPECT_GT(left, BLOCKS / 2);
    for (uint32_t count; (count = hak_quarantine_drain(class_index, leaving)) != 0;) left += count;
    HAK_EXPECT_EQ(left, BLOCKS);
    HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), 0);
}

/* No block comes again before a queue's worth of others was freed. */
HAK_TEST(Quarantine, ABlockComesAgainLate) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        if (sizes[i] > 2000) continue;
        for (unsigned round = 0; round < 50; round++) {
            void *p = hak_alloc(sizes[i]);
            hak_free(p);
            for (unsigned k = 0; k < 8; k++) {
                void *q = hak_alloc(sizes[i]);
                HAK_EXPECT(q != p);
                hak_free(q);
            }
        }
    }
}

/* Readers of statistics that counted the blocks in the quarantine must not count them in their slabs as well. */
HAK_TEST(Quarantine, DrainIsSaidToReaders) {
    uint64_t before = 0, after = 0;
    for (unsigned k = 0; k < 300; k++) hak_free(hak_alloc(sizes[0]));
    HAK_EXPECT(hak_moving_look(&before));
    hak_guarded_drain();
    HAK_EXPECT(hak_moving_look(&after));
    HAK_EXPECT_NE(after, before);
}

HAK_TEST(Quarantine, TrimEndsIt) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        for (unsigned k = 0; k < 300; k++) hak_free(hak_alloc(sizes[i]));
    }
    hak_trim();
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) HAK_EXPECT_EQ(hak_quarantine_blocks(c), 0);
    struct hak_stats stats = census_all();
    HAK_EXPECT_EQ(stats.magazine_bytes, 0);
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- Random choices ---- */

HAK_TEST(Random, IsBelowItsLimitAndReachesAll) {
    bool seen[7] = {false};
    for (unsigned i = 0; i < 1000; i++) {
        const uint32_t value = guard_random_below(7);
        HAK_EXPECT_LT(value, 7);
        seen[value] = true;
    }
    for (unsigned i = 0; i < 7; i++) HAK_EXPECT(seen[i]);
    HAK_EXPECT_EQ(guard_random_below(1), 0);
}

HAK_TEST(Random, TakesEveryBlockOfASlabOnceAndNotInOrder) {
    hak_process_begin();
    const unsigned class_index = 4, self = 77;
    struct slab *slab = hak_slab_create(class_index, self);
    const uint32_t blocks = hak_classes[class_index].blocks;
    static void *taken[8192];
    uint32_t count = 0, descents = 0;
    while (slab->free_count > 0) {
        bool zeroed;
        count += hak_slab_take_random(slab, class_index, taken + count, 17, &zeroed);
        hak_slab_check(slab, class_index);
    }
    HAK_EXPECT_EQ(count, blocks);
    for (uint32_t i = 1; i < count; i++) descents += taken[i] < taken[i - 1];
    HAK_EXPECT_GT(descents, count / 8);
    HAK_EXPECT_EQ(hak_slab_free_blocks(self, class_index, taken, count), 0);
    HAK_EXPECT_EQ(slab->free_count, blocks);
    HAK_EXPECT(hak_slab_release_if_empty(slab, class_index));
}

/* Chunks that were written come again as a slab of one block, which is at its beginning as if nobody had had it. */
HAK_TEST_ISOLATED(Random, CallocClearsBlocksOfNewSlabsInUsedChunks, "HAKMEM_GUARD=random") {
    enum { BLOCKS = 100, BYTES = 100000 };
    static unsigned char *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = (unsigned char *)hak_alloc(BYTES);
        memset(blocks[i], 0x5a, BYTES);
    }
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = (unsigned char *)hak_calloc(1, BYTES);
        for (unsigned k = 0; k < BYTES; k++) HAK_ASSERT_TRUE(blocks[i][k] == 0);
    }
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}

/* ---- Reports that do not abort ---- */

HAK_TEST_ISOLATED(Guard, GoesOnAfterAReport, "HAKMEM_ON_MISUSE=report") {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        overflow(sizes[i], 8);
        if (sizes[i] < GUARD_LARGE_BYTES) {
            volatile char *p = (volatile char *)hak_alloc(sizes[i]);
            hak_free((void *)p);
            p[0] = 'x';
            for (unsigned k = 0; k < 2000; k++) hak_free(hak_calloc(1, sizes[i]));
        }
    }
    CENSUS_EXPECT_CONSISTENT();
    hak_trim();
    HAK_EXPECT_EQ(census_all().magazine_bytes, 0);
}
