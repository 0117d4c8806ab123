/* SPDX-License-Identifier: MIT */
/* Slabs from inside: what is taken and freed shows in the bits, and each state follows from the counts.
 *
 * The slabs belong to thread numbers that no thread of the test has. */
#include <stdint.h>
#include <string.h>

#include "hakmem/base/options.h"
#include "hakmem/base/random.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define SELF 1001u
#define OTHER 1002u
#define BLOCKS_MAX 8192

/* Classes with many words, with one word, and with one block a slab. */
static const unsigned classes[] = {1, 3, HAK_TINY_CLASS_LAST, HAK_L2_CLASS_FIRST + 1, HAK_L25_CLASS_LAST};
#define CLASSES (sizeof classes / sizeof *classes)

static void *blocks[BLOCKS_MAX];

/* A new slab whose blocks are all in `blocks`. */
static struct slab *full_slab(unsigned class_index) {
    hak_process_begin();
    struct slab *slab = hak_slab_create(class_index, SELF);
    HAK_EXPECT(slab != NULL);
    bool zeroed;
    uint32_t count = hak_classes[class_index].blocks;
    HAK_EXPECT_EQ(hak_slab_take(slab, class_index, blocks, count, &zeroed), count);
    return slab;
}

/* Gives up a slab that SELF owns and whose blocks from `first` on are not freed yet. */
static void give_up(struct slab *slab, unsigned class_index, uint32_t first) {
    hak_slab_free_blocks(SELF, class_index, blocks + first, hak_classes[class_index].blocks - first);
    HAK_EXPECT(hak_slab_release_if_empty(slab, class_index));
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
}

HAK_TEST(Slab, TakeGivesEachBlockOnceAndPopsAscend) {
    for (unsigned k = 0; k < CLASSES; k++) {
        const struct hak_class *constants = &hak_classes[classes[k]];
        struct slab *slab = full_slab(classes[k]);
        uint32_t count = constants->blocks;
        for (uint32_t i = 0; i < count; i++) {
            uintptr_t expected = slab_block_address(slab_base(slab), count - 1 - i, constants);
            HAK_EXPECT_PTR_EQ(blocks[i], (void *)expected);
        }
        HAK_EXPECT_EQ(slab->free_count, 0);
        HAK_EXPECT_EQ(hak_slab_count_free(slab, classes[k]), 0);
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_OWNED);
        hak_slab_check(slab, classes[k]);
        give_up(slab, classes[k], 0);
    }
}

/* Each block has a place, and each place a block; block 0 is the first behind the start of one of 16 pages, and where a slab has
 * small blocks, of each as often. */
HAK_TEST(Slab, BlocksBeginAtAnyOfItsPages) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_class *constants = &hak_classes[c];
        unsigned slabs_of_page[16] = {0};
        for (uintptr_t base = HAK_REGION_BYTES, i = 0; i < HAK_REGION_CHUNKS; i++, base += HAK_CHUNK_BYTES) {
            const uint32_t turn = slab_turn(base, constants);
            const uintptr_t start = slab_block_address(base, 0, constants) - base;
            HAK_EXPECT_LT(turn, constants->blocks);
            HAK_EXPECT_EQ(start, (uintptr_t)turn * constants->block_size);
            HAK_EXPECT_LT(start % 4096, constants->block_size);
            if (constants->block_size <= HAK_TINY_MAX) slabs_of_page[start / 4096]++;
            for (uint32_t block = 0; block < constants->blocks; block += 1 + block / 8) {
                const uint32_t place = slab_place_of(block, turn, constants);
                HAK_EXPECT_LT(place, constants->blocks);
                HAK_EXPECT_EQ(place, (block + turn) % constants->blocks);
                HAK_EXPECT_EQ(slab_block_at(place, turn, constants), block);
            }
        }
        for (unsigned page = 0; page < 16 && constants->block_size <= HAK_TINY_MAX; page++) {
            HAK_EXPECT_GE(slabs_of_page[page], HAK_REGION_CHUNKS / 16 - 2);
        }
    }
}

HAK_TEST(Slab, LocateFindsBlockAndOffset) {
    for (unsigned k = 0; k < CLASSES; k++) {
        const struct hak_class *constants = &hak_classes[classes[k]];
        struct slab *slab = full_slab(classes[k]);
        for (uint32_t block = 0; block < constants->blocks; block++) {
            for (uint32_t offset = 0; offset < constants->block_size; offset += constants->block_size / 2 - 1) {
                struct slab_position position;
                uintptr_t address = slab_block_address(slab_base(slab), block, constants) + offset;
                HAK_EXPECT(slab_locate((void *)address, classes[k], &position));
                HAK_EXPECT_PTR_EQ(position.slab, slab);
                HAK_EXPECT_EQ(position.block, block);
                HAK_EXPECT_EQ(position.offset, offset);
            }
        }
        give_up(slab, classes[k], 0);
    }
}

/* Every page without a byte of the one live block goes back, also those that block 0 shares with the last one. */
HAK_TEST(Slab, PurgeGivesBackEveryPageWithoutALiveBlock) {
    for (unsigned c = 1; c <= HAK_TINY_CLASS_LAST; c++) {
        const struct hak_class *constants = &hak_classes[c];
        const size_t page = hak_os_page_size();
        struct slab *slab = full_slab(c);
        const uint32_t live = constants->blocks / 2;
        hak_slab_free_blocks(SELF, c, blocks, live);
        hak_slab_free_blocks(SELF, c, blocks + live + 1, constants->blocks - live - 1);
        const uintptr_t end = slab_base(slab) + (uintptr_t)constants->blocks * constants->block_size;
        const uintptr_t block = (uintptr_t)blocks[live];
        size_t expected = 0;
        for (uintptr_t at = slab_base(slab); at + page <= end; at += page) {
            if (at + page <= block || at >= block + constants->block_size) expected += page;
        }
        const struct decay_pass pass = {.freed_until_ms = DECAY_EVERYTHING};
        HAK_EXPECT_EQ(hak_slab_purge_free_pages(slab, c, &pass), expected);
        hak_slab_free_blocks(SELF, c, blocks + live, 1);
        HAK_EXPECT(hak_slab_release_if_empty(slab, c));
    }
}

HAK_TEST(Slab, FreeCountEqualsPopcountThroughRandomWork) {
    for (unsigned k = 0; k < CLASSES; k++) {
        unsigned c = classes[k];
        uint64_t random = 99;
        struct slab *slab = full_slab(c);
        uint32_t live = hak_classes[c].blocks;
        for (unsigned round = 0; round < (unsigned)HAK_TEST_SCALE(2000); round++) {
            uint64_t value = random_xorshift64(&random);
            uint32_t n = (uint32_t)(value >> 8) % 70 + 1;
            if (value % 2 == 0 && slab->free_count > 0) {
                bool zeroed;
                live += hak_slab_take(slab, c, blocks + live, n, &zeroed);
            } else if (live >= n) {
                live -= n;
                uint32_t self = value % 4 < 3 ? SELF : OTHER;
                HAK_EXPECT_EQ(hak_slab_free_blocks(self, c, blocks + live, n), self == SELF ? 0 : n);
                if (value % 8 == 3) hak_slab_drain(slab, c);
            }
            hak_slab_check(slab, c);
            HAK_EXPECT_EQ(hak_slab_count_free(slab, c), hak_classes[c].blocks - live);
        }
        hak_slab_free_blocks(SELF, c, blocks, live);
        HAK_EXPECT(hak_slab_release_if_empty(slab, c));
    }
}

HAK_TEST(Slab, RemoteFreesWaitForTheDrain) {
    for (unsigned k = 0; k < CLASSES; k++) {
        struct slab *slab = full_slab(classes[k]);
        uint32_t half = (hak_classes[classes[k]].blocks + 1) / 2;
        HAK_EXPECT_EQ(hak_slab_free_blocks(OTHER, classes[k], blocks, half), half);
        HAK_EXPECT_EQ(slab->free_count, 0);
        HAK_EXPECT_EQ(hak_slab_count_free(slab, classes[k]), half);
        HAK_EXPECT_EQ(hak_slab_drain(slab, classes[k]), half);
        HAK_EXPECT_EQ(slab->free_count, half);
        HAK_EXPECT_EQ(hak_slab_drain(slab, classes[k]), 0);
        hak_slab_check(slab, classes[k]);
        give_up(slab, classes[k], half);
    }
}

static void expect_drain_before_fresh(unsigned c, bool from_clean_memory) {
    const uint32_t words = hak_classes[c].bitmap_words, all = hak_classes[c].blocks;
    bool zeroed;
    if (from_clean_memory) hak_purge_all();
    struct slab *slab = hak_slab_create(c, SELF);
    HAK_EXPECT_EQ(slab->zeroed, from_clean_memory); /* or the rest shows nothing */
    HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks, words, &zeroed), words);
    /* Too few to look for, then enough. */
    hak_slab_free_blocks(OTHER, c, blocks, words - 1);
    hak_slab_drain_before_fresh(slab, c);
    HAK_EXPECT_EQ(slab->free_count, all - words);
    hak_slab_free_blocks(OTHER, c, blocks + words - 1, 1);
    hak_slab_drain_before_fresh(slab, c);
    HAK_EXPECT_EQ(slab->free_count, all);
    /* A slab without fresh blocks waits until it has none at all. */
    HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks, all, &zeroed), all);
    hak_slab_free_blocks(OTHER, c, blocks, words);
    hak_slab_drain_before_fresh(slab, c);
    HAK_EXPECT_EQ(slab->free_count, 0);
    hak_slab_check(slab, c);
    give_up(slab, c, words);
}

HAK_TEST(Slab, BlocksThatOthersFreedComeBeforeFreshOnes) {
    hak_process_begin();
    for (unsigned k = 0; k < 2; k++) {
        const unsigned c = k == 0 ? 1 : HAK_TINY_CLASS_LAST;
        expect_drain_before_fresh(c, true);
        /* In the chunks that the slab before has left, of which it may have touched the first page only. */
        expect_drain_before_fresh(c, false);
    }
}

HAK_TEST(Slab, FullSlabBecomesPartialWhenAnEighthIsFree) {
    for (unsigned k = 0; k < CLASSES - 1; k++) {
        unsigned c = classes[k];
        uint32_t eighth = (hak_classes[c].blocks + 7) / 8;
        struct slab *slab = full_slab(c);
        hak_slab_detach(slab, c);
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_FULL);
        for (uint32_t i = 0; i < eighth; i++) {
            HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_FULL);
            HAK_EXPECT_EQ(hak_slab_free_blocks(OTHER, c, blocks + i, 1), 1);
        }
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_PARTIAL);
        HAK_EXPECT_PTR_EQ(hak_slab_claim(c, SELF), slab);
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_OWNED);
        HAK_EXPECT_EQ(slab->free_count, eighth);
        HAK_EXPECT(hak_slab_claim(c, SELF) == NULL);
        hak_slab_check(slab, c);
        give_up(slab, c, eighth);
    }
}

HAK_TEST(Slab, DetachChoosesTheStateByWhatIsFree) {
    for (unsigned k = 0; k < CLASSES - 1; k++) {
        unsigned c = classes[k];
        uint32_t count = hak_classes[c].blocks;
        const uint32_t eighth = (count + 7) / 8;
        const uint32_t freed[] = {0, eighth - 1, eighth, count - 1, count};
        const enum slab_state expected[] = {SLAB_FULL, SLAB_FULL, SLAB_PARTIAL, SLAB_PARTIAL, SLAB_EMPTY};
        for (unsigned i = 0; i < 5; i++) {
            struct slab *slab = full_slab(c);
            hak_slab_free_blocks(SELF, c, blocks, freed[i]);
            hak_slab_detach(slab, c);
            HAK_EXPECT_EQ(hak_slab_state_of(slab), expected[i]);
            hak_slab_free_blocks(SLAB_NOBODY, c, blocks + freed[i], count - freed[i]);
            HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
        }
    }
}

HAK_TEST(Slab, RemoteFreeOfLastBlockEmptiesSlab) {
    for (unsigned k = 0; k < CLASSES; k++) {
        unsigned c = classes[k];
        uint32_t last = hak_classes[c].blocks - 1;
        struct slab *slab = full_slab(c);
        void *start = (void *)slab_base(slab);
        hak_slab_detach(slab, c);
        hak_slab_free_blocks(OTHER, c, blocks, last);
        HAK_EXPECT_NE(hak_slab_state_of(slab), SLAB_EMPTY);
        HAK_EXPECT_EQ(hak_region_chunk_class(start), c);
        hak_slab_free_blocks(SLAB_NOBODY, c, blocks + last, 1);
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
        HAK_EXPECT_EQ(hak_region_chunk_class(start), 0);
    }
}

HAK_TEST(Slab, ClaimTakesTheFullest) {
    unsigned c = 3;
    uint32_t count = hak_classes[c].blocks;
    static void *of_first[BLOCKS_MAX];
    struct slab *first = full_slab(c);
    memcpy(of_first, blocks, count * sizeof *blocks);
    struct slab *second = full_slab(c);
    hak_slab_free_blocks(SELF, c, of_first, count * 7 / 8);
    hak_slab_free_blocks(SELF, c, blocks, count / 4);
    hak_slab_detach(second, c);
    hak_slab_detach(first, c);
    HAK_EXPECT_PTR_EQ(hak_slab_claim(c, SELF), second);
    HAK_EXPECT_PTR_EQ(hak_slab_claim(c, SELF), first);
    give_up(second, c, count / 4);
    hak_slab_free_blocks(SELF, c, of_first + count * 7 / 8, count - count * 7 / 8);
    HAK_EXPECT(hak_slab_release_if_empty(first, c));
}

HAK_TEST(Slab, FreshBlocksAreZeroedUsedOnesAreNotClaimedToBe) {
    unsigned c = HAK_TINY_CLASS_LAST;
    uint32_t size = hak_classes[c].block_size;
    hak_process_begin();
    struct slab *slab = hak_slab_create(c, SELF);
    bool zeroed;
    for (uint32_t i = 0; i < hak_classes[c].blocks; i++) {
        HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks + i, 1, &zeroed), 1);
        const unsigned char *bytes = (const unsigned char *)blocks[i];
        for (uint32_t at = 0; zeroed && at < size; at++) HAK_ASSERT_TRUE(bytes[at] == 0);
        memset(blocks[i], 0xFF, size);
    }
    hak_slab_free_blocks(SELF, c, blocks, 10);
    HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks, 10, &zeroed), 10);
    HAK_EXPECT(!zeroed);
    give_up(slab, c, 0);
}

/* Swaps two of `blocks`, so that the first one's bit is that bit of its word. */
static void bring_first(unsigned c, unsigned bit) {
    struct slab_position position;
    uint32_t i = 0;
    while (slab_locate(blocks[i], c, &position) && position.block % 64 != bit) i++;
    void *const p = blocks[i];
    blocks[i] = blocks[0];
    blocks[0] = p;
}

HAK_TEST(Slab, SecondFreeIsReported) {
    unsigned c = 3;
    const uint32_t selves[] = {SELF, OTHER};
    const unsigned bits[] = {0, 1, 63};
    for (unsigned i = 0; i < 12; i++) {
        struct slab *slab = full_slab(c);
        bring_first(c, bits[i / 4]);
        hak_slab_free_blocks(selves[i / 2 % 2], c, blocks, 1);
        HAK_EXPECT_DEATH(hak_slab_free_blocks(selves[i % 2], c, blocks, 1), "double free");
        /* And counts once. */
        hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
        hak_slab_free_blocks(selves[i % 2], c, blocks, 1);
        hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
        give_up(slab, c, 1);
    }
}

HAK_TEST(Slab, SecondFreeInOneCallIsReported) {
    struct slab *slab = full_slab(3);
    void *twice[] = {blocks[0], blocks[1], blocks[0]};
    HAK_EXPECT_DEATH(hak_slab_free_blocks(SELF, 3, twice, 3), "double free");
    HAK_EXPECT_DEATH(hak_slab_free_blocks(OTHER, 3, twice, 3), "double free");
    give_up(slab, 3, 0);
}

static void expect_not_taken(const void *p, unsigned class_index, enum hak_misuse kind) {
    enum hak_misuse wrong = HAK_MISUSE_OVERFLOW;
    HAK_EXPECT(!hak_slab_is_taken(p, class_index, &wrong));
    HAK_EXPECT_EQ(wrong, kind);
}

/* Between two blocks of its slab: first, what no block starts at; second, what has bits above those of any address. */
HAK_TEST(Slab, WhatIsNoBlockAmongOthersIsReportedAndTheOthersAreFree) {
    const unsigned c = 3;
    const uint32_t selves[] = {SELF, OTHER};
    for (unsigned i = 0; i < 2; i++) {
        struct slab *slab = full_slab(c);
        char *const inside = (char *)blocks[1] + 1, *const tagged = (char *)((uintptr_t)blocks[1] | (uintptr_t)1 << 63);
        void *wrong[] = {inside, tagged}, *behind[] = {blocks[0], inside};
        expect_not_taken(inside, c, HAK_MISUSE_INTERIOR);
        expect_not_taken(tagged, c, HAK_MISUSE_FOREIGN);
        HAK_EXPECT_DEATH(hak_slab_free_blocks(selves[i], c, wrong, 1), "interior pointer");
        HAK_EXPECT_DEATH(hak_slab_free_blocks(selves[i], c, wrong + 1, 1), "foreign pointer");
        HAK_EXPECT_DEATH(hak_slab_free_blocks(selves[i], c, behind, 2), "interior pointer");
        hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
        void *mixed[] = {blocks[0], inside, blocks[1], tagged, blocks[2], blocks[0]};
        hak_slab_free_blocks(selves[i], c, mixed, 6);
        hak_options.on_misuse = HAK_ON_MISUSE_ABORT;
        HAK_EXPECT_EQ(hak_slab_count_free(slab, c), 3);
        give_up(slab, c, 3);
    }
}

/* A block that a magazine holds twice goes back a second time when its slab is gone, or another's. */
static void expect_report_after_slab(unsigned next_class) {
    const unsigned c = 3;
    struct slab *slab = full_slab(c);
    void *start = (void *)slab_base(slab), *p = blocks[0];
    hak_slab_detach(slab, c);
    hak_slab_free_blocks(OTHER, c, blocks, hak_classes[c].blocks);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
    if (next_class == 0) {
        HAK_EXPECT_DEATH(hak_slab_free_blocks(OTHER, c, &p, 1), "double free");
        return;
    }
    /* All blocks of the next slab are out, so no bit says anything against it. */
    slab = full_slab(next_class);
    HAK_EXPECT_PTR_EQ((void *)slab_base(slab), start);
    expect_not_taken(p, c, HAK_MISUSE_DOUBLE_FREE);
    HAK_EXPECT_DEATH(hak_slab_free_blocks(OTHER, c, &p, 1), "double free");
    HAK_EXPECT_DEATH(hak_slab_free_blocks(SELF, c, &p, 1), "double free");
    give_up(slab, next_class, 0);
}

HAK_TEST(Slab, FreeAfterTheSlabIsOfAnotherClassIsReported) {
    expect_report_after_slab(0);
    expect_report_after_slab(1);
    expect_report_after_slab(HAK_TINY_CLASS_LAST);
}

/* ---- Pages of slabs that nobody owns ---- */

HAK_TEST(Slab, PagesThatWereTouchedAgainArePurgedAgain) {
    const unsigned c = 3;
    const uint32_t last = hak_classes[c].blocks - 1;
    struct slab *slab = full_slab(c);
    void *stays = blocks[last];
    hak_purge_all();
    hak_slab_free_blocks(SELF, c, blocks, last);
    hak_slab_detach(slab, c);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_PARTIAL);
    for (unsigned round = 0; round < 3; round++) {
        HAK_EXPECT_GT(hak_purge_all(), 0);
        HAK_EXPECT_EQ(hak_purge_all(), 0);
        HAK_EXPECT_PTR_EQ(hak_slab_claim(c, SELF), slab);
        bool zeroed;
        HAK_EXPECT_EQ(hak_slab_take(slab, c, blocks, last, &zeroed), last);
        for (uint32_t i = 0; i < last; i++) memset(blocks[i], 1, hak_classes[c].block_size);
        hak_slab_free_blocks(SELF, c, blocks, last);
        hak_slab_detach(slab, c);
    }
    hak_slab_free_blocks(OTHER, c, &stays, 1);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
}

/* ---- Others free at the same time, and while the owner takes and drains ---- */

#define HELPERS 3

/* One block at a time, so that all threads are at work in the same words. */
static void free_every_third(void *argument, unsigned index) {
    unsigned c = *(unsigned *)argument;
    for (uint32_t i = index; i < hak_classes[c].blocks; i += HELPERS)
        hak_slab_free_blocks(OTHER + index, c, blocks + i, 1);
}

HAK_TEST(Slab, RemoteFreesIntoTheSameWordsAllArrive) {
    unsigned c = 1;
    for (unsigned round = 0; round < (unsigned)HAK_TEST_SCALE(40); round++) {
        struct slab *slab = full_slab(c);
        threads_run(HELPERS, free_every_third, &c);
        HAK_EXPECT_EQ(hak_slab_drain(slab, c), hak_classes[c].blocks);
        hak_slab_check(slab, c);
        give_up(slab, c, hak_classes[c].blocks);
    }
}

HAK_TEST(Slab, LastOfManyRemoteFreesEmptiesSlab) {
    unsigned c = 1;
    for (unsigned round = 0; round < (unsigned)HAK_TEST_SCALE(40); round++) {
        struct slab *slab = full_slab(c);
        hak_slab_detach(slab, c);
        threads_run(HELPERS, free_every_third, &c);
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
    }
}

#define HANDED 64

struct shared_slab {
    struct slab *slab;
    unsigned class_index;
    void *handed[HELPERS][HANDED]; /* atomic; NULL: taken by the helper */
    int done;                      /* atomic */
};

static void free_what_is_handed(void *argument, unsigned index) {
    struct shared_slab *shared = (struct shared_slab *)argument;
    for (;;) {
        /* Acquire: the blocks that were handed before the end are seen after it. */
        bool last = __atomic_load_n(&shared->done, __ATOMIC_ACQUIRE) != 0;
        for (unsigned i = 0; i < HANDED; i++) {
            void *p = __atomic_exchange_n(&shared->handed[index][i], (void *)NULL, __ATOMIC_ACQUIRE);
            if (p != NULL) hak_slab_free_blocks(OTHER + index, shared->class_index, &p, 1);
        }
        if (last) return;
    }
}

HAK_TEST(Slab, ConcurrentRemoteFreesAllArrive) {
    for (unsigned k = 0; k < CLASSES - 1; k++) {
        static struct shared_slab shared;
        memset(&shared, 0, sizeof shared);
        hak_process_begin();
        shared.class_index = classes[k];
        shared.slab = hak_slab_create(classes[k], SELF);
        struct threads helpers;
        threads_start(&helpers, HELPERS, free_what_is_handed, &shared);
        uint64_t random = 5 + k, handed = 0;
        for (unsigned round = 0; round < (unsigned)HAK_TEST_SCALE(20000); round++) {
            void **place = &shared.handed[random_xorshift64(&random) % HELPERS][random % HANDED];
            /* Relaxed: only this thread fills places. */
            if (__atomic_load_n(place, __ATOMIC_RELAXED) != NULL) continue;
            if (shared.slab->free_count == 0 && hak_slab_drain(shared.slab, classes[k]) == 0) continue;
            void *p;
            bool zeroed;
            HAK_EXPECT_EQ(hak_slab_take(shared.slab, classes[k], &p, 1, &zeroed), 1);
            *(uint64_t *)p = handed++;
            /* Release: the block's content goes with it. */
            __atomic_store_n(place, p, __ATOMIC_RELEASE);
        }
        __atomic_store_n(&shared.done, 1, __ATOMIC_RELEASE);
        threads_join(&helpers);
        hak_slab_drain(shared.slab, classes[k]);
        hak_slab_check(shared.slab, classes[k]);
        HAK_EXPECT_EQ(shared.slab->free_count, hak_classes[classes[k]].blocks);
        HAK_EXPECT_GT(handed, 0);
        give_up(shared.slab, classes[k], hak_classes[classes[k]].blocks);
    }
}
