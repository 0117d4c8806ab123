/* SPDX-License-Identifier: MIT */
/* The shadow of builds with guard, from inside and through the public interface: which addresses read as live, in every
 * combination of the other switches. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/region/place.h"
#include "hakmem/region/region.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/size_class/size_class.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

static char *block_of(unsigned class_index) {
    char *p = (char *)hak_alloc(hak_classes[class_index].block_size);
    HAK_EXPECT(p != NULL);
    return p;
}

/* Only p itself, of all addresses of its block and around. */
static void expect_live_at_start_only(const char *p, unsigned class_index) {
    const size_t size = hak_classes[class_index].block_size;
    HAK_EXPECT_EQ(shadow_class(p), class_index);
    for (size_t offset = 1; offset < size; offset += offset < 64 ? 1 : 1009) HAK_EXPECT_EQ(shadow_class(p + offset), 0);
    HAK_EXPECT_EQ(shadow_class(p + size - 1), 0);
    HAK_EXPECT_EQ(shadow_class((const char *)((uintptr_t)p | (uintptr_t)1 << 60)), 0);
}

HAK_TEST(Shadow, ABlockIsLiveFromAllocToFree) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        char *p = block_of(c);
        expect_live_at_start_only(p, c);
        hak_free(p);
        HAK_EXPECT_EQ(shadow_class(p), 0);
    }
}

HAK_TEST(Shadow, EveryWayToABlockMarksIt) {
    char *blocks[] = {
        (char *)hak_alloc(0),
        (char *)hak_calloc(3, 100),
        (char *)hak_alloc_at(5000, NULL),
        (char *)hak_aligned_alloc(4096, 10),
        (char *)hak_realloc(NULL, 70000),
        (char *)hak_realloc(hak_alloc(10), 2000),
    };
    for (unsigned i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        HAK_EXPECT_EQ(hak_classes[shadow_class(blocks[i])].block_size, hak_usable_size(blocks[i]));
        hak_free(blocks[i]);
        HAK_EXPECT_EQ(shadow_class(blocks[i]), 0);
    }
}

static void nothing(void *argument, unsigned index) {
    (void)argument;
    (void)index;
}

/* As two threads do that both found it live. */
HAK_TEST(Shadow, OfTwoWhoEndABlockOneDoes) {
    char *p = block_of(1);
    threads_run(1, nothing, NULL); /* the process is not of one thread any more */
    HAK_EXPECT(shadow_end(shadow_entry(p), 1));
    HAK_EXPECT(!shadow_end(shadow_entry(p), 1));
    HAK_EXPECT_EQ(shadow_take(p), 0);
    shadow_set(p, 1);
    HAK_EXPECT_EQ(shadow_take(p), 1);
    shadow_set(p, 1);
    hak_free(p);
}

HAK_TEST(Shadow, WhatIsNoBlockIsNotLive) {
    int local = 0;
    char *huge = (char *)hak_alloc(3 << 20);
    const void *const pointers[] = {
        NULL,
        &local,
        "text",
        (void *)16,
        (void *)1,
        (void *)UINTPTR_MAX,
        (void *)(UINTPTR_MAX << 4),
        (void *)((uintptr_t)1 << HAK_ADDRESS_BITS),
        (void *)(((uintptr_t)1 << HAK_ADDRESS_BITS) - 16),
        huge,
    };
    for (unsigned i = 0; i < sizeof pointers / sizeof pointers[0]; i++) HAK_EXPECT_EQ(shadow_class(pointers[i]), 0);
    hak_free(huge);
}

/* More blocks than magazines hold, freed by their thread and by another. */
enum { BLOCKS = 500 };

struct blocks {
    char *p[BLOCKS];
};

static void free_all(void *argument, unsigned index) {
    struct blocks *blocks = (struct blocks *)argument;
    (void)index;
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks->p[i]);
}

HAK_TEST(Shadow, BlocksInMagazinesAndSlabsAreNotLive) {
    for (unsigned by_other = 0; by_other < 2; by_other++) {
        struct blocks blocks;
        for (unsigned i = 0; i < BLOCKS; i++) blocks.p[i] = (char *)hak_alloc(48);
        const unsigned class_index = shadow_class(blocks.p[0]);
        for (unsigned i = 0; i < BLOCKS; i++) HAK_EXPECT_EQ(shadow_class(blocks.p[i]), class_index);
        if (by_other) {
            threads_run(1, free_all, &blocks);
        } else {
            free_all(&blocks, 0);
        }
        for (unsigned i = 0; i < BLOCKS; i++) HAK_EXPECT_EQ(shadow_class(blocks.p[i]), 0);
    }
}

static void free_it(void *argument, unsigned index) {
    (void)index;
    hak_free(argument);
}

HAK_TEST(Shadow, InvalidFreesAreFoundByTheFreeItself) {
    static const size_t sizes[] = {1, 100, 5000, 200000, 3 << 20};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = (char *)hak_alloc(sizes[i]);
        HAK_EXPECT_DEATH(
            {
                hak_free(p);
                hak_free(p);
            },
            "double free");
        HAK_EXPECT_DEATH(
            {
                hak_free(p);
                threads_run(1, free_it, p);
            },
            "double free");
        HAK_EXPECT_DEATH(
            {
                threads_run(1, free_it, p);
                hak_free(p);
            },
            "double free");
        HAK_EXPECT_DEATH(
            {
                hak_free(p);
                hak_free(hak_realloc(p, 2 * sizes[i]));
            },
            "realloc.*double free");
        HAK_EXPECT_DEATH(hak_free(p + 1), "interior pointer");
        HAK_EXPECT_DEATH(hak_realloc(p + sizes[i] / 2 + 1, 10), "interior pointer");
        hak_free(p);
    }
}

HAK_TEST(Shadow, SizedFreeWantsTheClassOfTheSize) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        char *p = block_of(c);
        const size_t largest = hak_classes[c].block_size, too_small = hak_classes[c - 1].block_size;
        HAK_EXPECT_DEATH(hak_free_sized(p, largest + 1), "wrong size");
        if (c > 1) HAK_EXPECT_DEATH(hak_free_sized(p, too_small), "wrong size");
        hak_free_sized(p, too_small + 1);
        HAK_EXPECT_EQ(shadow_class(p), 0);
    }
}

HAK_TEST(Shadow, ReallocKeepsTheClassOfTheSize) {
    static const size_t sizes[] = {100, 60, 10, 3000, 1500, 40000, 3 << 20, 2 << 20, 900, 0x100001, 1 << 20, 1};
    char *p = NULL;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        p = (char *)hak_realloc(p, sizes[i]);
        HAK_EXPECT_EQ(shadow_class(p), size_class_of(sizes[i]));
    }
    hak_free_sized(p, 1);
}

HAK_TEST(Shadow, UsableSizeOfWhatIsNotLiveIsZero) {
    char *p = (char *)hak_alloc(100);
    HAK_EXPECT_EQ(hak_usable_size(p + 16), 0);
    hak_free(p);
    HAK_EXPECT_EQ(hak_usable_size(p), 0);
}

static unsigned is_resident(void *page_start, size_t page) {
    unsigned char resident = 0;
    HAK_EXPECT_EQ(mincore(page_start, page, &resident), 0);
    return resident & 1u;
}

/* Of several slabs in a row: a page at their end may hold entries of other memory as well, and stays. */
HAK_TEST(Shadow, ItsPagesGoWithTheMemory) {
    enum { COUNT = 8192, SIZE = 64 };
    static char *blocks[COUNT];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (page > HAK_CHUNK_BYTES >> SHADOW_SHIFT) HAK_SKIP("pages are larger than a chunk's entries");
    for (unsigned i = 0; i < COUNT; i++) blocks[i] = (char *)hak_alloc(SIZE);
    void *entries = (void *)((uintptr_t)shadow_entry(blocks[COUNT / 2]) & ~(page - 1));
    HAK_EXPECT_EQ(is_resident(entries, page), 1);
    for (unsigned i = 0; i < COUNT; i++) hak_free(blocks[i]);
    hak_trim();
    HAK_EXPECT_EQ(is_resident(entries, page), 0);
}

/* Pages of the shadow that hold entries of the purged range alone go, and no entry of its neighbours. */
HAK_TEST(Shadow, PurgeTakesTheEntriesOfItsRangeAlone) {
    enum { CHUNKS = 12, FIRST = 3, PURGED = 6 };
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct span span;
    hak_free(hak_alloc(16));
    HAK_ASSERT_TRUE(hak_region_span_alloc(CHUNKS, 1, &span) == 0);
    char *const start = (char *)region_chunk_address(span.region, span.first), *const purged =
                                                                                   start + FIRST * HAK_CHUNK_BYTES;
    const uintptr_t from = (uintptr_t)shadow_entry(purged);
    /* To a chunk's end, and to an entry behind it. */
    for (unsigned i = 0; i < 4; i++) {
        const bool by_mapping = i % 2 != 0;
        const size_t bytes = PURGED * HAK_CHUNK_BYTES + i / 2 * SHADOW_GRAIN;
        const uintptr_t to = from + (bytes >> SHADOW_SHIFT);
        unsigned gone = 0;
        for (size_t at = 0; at < CHUNKS * HAK_CHUNK_BYTES; at += 16) shadow_set(start + at, 1);
        hak_shadow_purge(purged, bytes, by_mapping);
        for (size_t at = 0; at < CHUNKS * HAK_CHUNK_BYTES; at += 16) {
            const uintptr_t first = (uintptr_t)shadow_entry(start + at) & ~(page - 1);
            const bool is_within = from <= first && first + page <= to;
            if ((shadow_class(start + at) == 0) != is_within) harness_fail(__FILE__, __LINE__, "entry of byte %zu", at);
            gone += is_within;
        }
        HAK_EXPECT_GE(gone,
                      page > HAK_CHUNK_BYTES >> SHADOW_SHIFT ? 0 : (PURGED - 1) * (HAK_CHUNK_BYTES >> SHADOW_SHIFT));
        for (size_t at = 0; at < CHUNKS * HAK_CHUNK_BYTES; at += 16) shadow_set(start + at, 0);
    }
    hak_region_span_free(span.region, span.first, CHUNKS);
}

/* ---- Huge pages ---- */

/* Whether the kernel has noted for the mapping around an address that it is to have huge pages: "hg" in smaps. */
static bool wants_huge_pages(const void *address) {
    char line[512];
    bool here = false, found = false;
    FILE *smaps = fopen("/proc/self/smaps", "r");
    HAK_EXPECT(smaps != NULL);
    while (fgets(line, sizeof line, smaps) != NULL) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) here = (uintptr_t)address - start < end - start;
        if (here && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, " hg") != NULL;
    }
    fclose(smaps);
    return found;
}

/* Of the first block that the system places, which lies just below the end of all of them. */
static void expect_huge_pages_of_entries(bool expected) {
    hak_free(hak_alloc(1));
    const uintptr_t end = hak_place_blocks_end();
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0) HAK_SKIP("the kernel has no huge pages");
    if (end == 0 || hak_shadow.limit == 0) HAK_SKIP("blocks have no place that is known before");
    HAK_EXPECT_EQ(wants_huge_pages(&hak_shadow.classes[(end - HAK_CHUNK_BYTES) >> SHADOW_SHIFT]), expected);
}

HAK_TEST_ISOLATED(Shadow, EntriesOfMappingsWantHugePages, "") { expect_huge_pages_of_entries(true); }

HAK_TEST_ISOLATED(Shadow, EntriesOfMappingsWantNoneWhereNothingDoes, "HAKMEM_THP=never") {
    expect_huge_pages_of_entries(false);
}
