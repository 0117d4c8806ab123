/* SPDX-License-Identifier: MIT */
/* Mappings that a child finds cleared, and places that a mapping left; the limit of mappings; the bytes of the start. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"
#include "tests/unit/os_mapping.h"

/* Address space alone. */
static char *map_nothing(size_t bytes) {
    char *start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    HAK_EXPECT(start != MAP_FAILED);
    return start;
}

HAK_TEST(OsMapWiped, ReadsZeroInAChildAndStaysInTheParent) {
    void *start = NULL;
    int status = 0;
    HAK_EXPECT_EQ(hak_os_map_wiped(64 * KIB, &start), 0);
    unsigned char *bytes = start;
    memset(bytes, 0x5a, 64 * KIB);
    /* As no handler of fork sees it. */
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(bytes[0] == 0 && bytes[64 * KIB - 1] == 0 ? 0 : 1);
    HAK_EXPECT(waitpid(child, &status, 0) == child);
    HAK_EXPECT_EQ(status, 0);
    HAK_EXPECT(bytes[0] == 0x5a && bytes[64 * KIB - 1] == 0x5a);
    HAK_EXPECT_EQ(hak_os_unmap(start, 64 * KIB), 0);
}

HAK_TEST(OsMapLeft, TakesAPlaceThatIsFreeAndNoOther) {
    unsigned char *bytes = map(MIB, MIB);
    memset(bytes, 1, MIB);
    const struct os_counters before = counters();
    errno = 7;
    HAK_EXPECT_EQ(hak_os_map_left(bytes, MIB), EEXIST);
    HAK_EXPECT_EQ(hak_os_map_left(bytes - MIB / 2, MIB), EEXIST);
    HAK_EXPECT_EQ(errno, 7);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
    HAK_EXPECT(bytes[0] == 1 && bytes[MIB - 1] == 1);
    HAK_EXPECT_EQ(hak_os_unmap(bytes, MIB), 0);
    HAK_EXPECT_EQ(hak_os_map_left(bytes, MIB), 0);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
    HAK_EXPECT_DEATH(*(volatile unsigned char *)bytes, "");
    /* As any other mapping from then on. */
    HAK_EXPECT_EQ(hak_os_make_writable(bytes, MIB), 0);
    HAK_EXPECT_EQ(bytes[MIB - 1], 0);
    HAK_EXPECT_EQ(hak_os_unmap(bytes, MIB), 0);
}

/* A hole near the end of a wide range, where the kernel puts the next small mapping: no place below the hole is free. */
HAK_TEST(OsReserveFirst, FindsAPlaceBeyondAWideMapping) {
    const size_t wide_bytes = 16 * GIB;
    char *const wide = map_nothing(wide_bytes);
    void *first = NULL;
    HAK_EXPECT_EQ(munmap(wide + wide_bytes - 2 * MIB, MIB), 0);
    HAK_ASSERT_TRUE(hak_os_reserve_first(MIB, 32 * MIB, &first) == 0);
    HAK_EXPECT_EQ((uintptr_t)first % (32 * MIB), 0);
    HAK_EXPECT((char *)first + 32 * MIB <= wide || (char *)first >= wide + wide_bytes);
    HAK_EXPECT_EQ(hak_os_unmap(first, MIB), 0);
    HAK_EXPECT_EQ(munmap(wide, wide_bytes), 0);
}

/* Nothing but this test maps anything there. */
HAK_TEST_ISOLATED(OsPlace, KeepsEachKindTogetherAndFillsItsHoles, "") {
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    HAK_SKIP("the sanitizer knows which addresses a program may use");
#endif
    char *const regions = (char *)0x200000000000, *const blocks = (char *)0x300000000000;
    char *const records = (char *)0x380000000000;
    const size_t page = hak_os_page_size();
    void *region;
    hak_os_place((uintptr_t)regions, (uintptr_t)blocks, (uintptr_t)records);
    HAK_EXPECT_EQ(hak_os_reserve_aligned(32 * MIB, 32 * MIB, &region), 0);
    HAK_EXPECT_PTR_EQ(region, regions - 32 * MIB);
    for (size_t i = 1; i <= 3; i++) HAK_EXPECT_PTR_EQ(map(MIB, MIB), blocks - i * MIB);
    HAK_EXPECT_PTR_EQ(map(page, page), records - page);
    HAK_EXPECT_EQ(hak_os_unmap(blocks - 2 * MIB, MIB), 0);
    HAK_EXPECT_PTR_EQ(map(2 * page, page), records - 3 * page);
    HAK_EXPECT_EQ(hak_os_unmap(records - 3 * page, 2 * page), 0);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), blocks - 2 * MIB);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), blocks - 4 * MIB);
    HAK_EXPECT_PTR_EQ(map(page, page), records - 2 * page);
    HAK_EXPECT_EQ(hak_os_reserve_aligned(32 * MIB, 32 * MIB, &region), 0);
    HAK_EXPECT_PTR_EQ(region, regions - 64 * MIB);
}

#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
#define PLACE_EACH(regions, blocks, records) HAK_SKIP("the sanitizer knows which addresses a program may use")
#else
#define PLACE_EACH(regions, blocks, records) \
    hak_os_place((uintptr_t)(regions), (uintptr_t)(blocks), (uintptr_t)(records))
#endif
#define PLACE_BELOW(end) PLACE_EACH(end, end, end)

/* From the last on, as kept mappings go. */
static void unmap_in_pieces(char *start, size_t bytes) {
    for (size_t left = bytes; left > 0; left -= 8 * MIB) {
        HAK_EXPECT_EQ(hak_os_unmap(start + left - 8 * MIB, 8 * MIB), 0);
    }
}

HAK_TEST_ISOLATED(OsPlace, WhatGoesInPiecesIsOneHole, "") {
    char *const end = (char *)0x300000000000;
    PLACE_BELOW(end);
    for (unsigned round = 0; round < 4; round++) {
        HAK_EXPECT_PTR_EQ(map(128 * MIB, MIB), end - 128 * MIB);
        unmap_in_pieces(end - 128 * MIB, 128 * MIB);
    }
    /* Also where a block grew below what is left of one. */
    HAK_EXPECT_PTR_EQ(map(64 * MIB, MIB), end - 64 * MIB);
    unmap_in_pieces(end - 32 * MIB, 32 * MIB);
    HAK_EXPECT_EQ(hak_os_map_beside(end - 96 * MIB, 32 * MIB), 0);
    unmap_in_pieces(end - 96 * MIB, 64 * MIB);
    HAK_EXPECT_PTR_EQ(map(96 * MIB, MIB), end - 96 * MIB);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), end - 97 * MIB);
}

/* At either end of it. */
HAK_TEST_ISOLATED(OsPlace, WhatABlockGrewIntoIsNoHole, "") {
    char *const end = (char *)0x300000000000;
    PLACE_BELOW(end);
    for (size_t i = 1; i <= 4; i++) HAK_EXPECT_PTR_EQ(map(8 * MIB, MIB), end - i * 8 * MIB);
    HAK_EXPECT_EQ(hak_os_unmap(end - 16 * MIB, 8 * MIB), 0);
    HAK_EXPECT_EQ(hak_os_map_beside(end - 12 * MIB, 4 * MIB), 0);
    HAK_EXPECT_PTR_EQ(map(MIB, MIB), end - 13 * MIB);
    HAK_EXPECT_EQ(hak_os_unmap(end - 16 * MIB + 3 * MIB, 5 * MIB), 0);
    HAK_EXPECT_EQ(hak_os_map_beside(end - 13 * MIB, 2 * MIB), 0);
    HAK_EXPECT(!hak_os_is_hole(end - 13 * MIB, MIB));
    /* What is unmapped below that is a hole of its own. */
    HAK_EXPECT_EQ(hak_os_unmap(end - 24 * MIB, 11 * MIB), 0);
    HAK_EXPECT_PTR_EQ(map(11 * MIB, MIB), end - 24 * MIB);
}

/* A page may be as large as what blocks are aligned to. */
HAK_TEST_ISOLATED(OsPlace, BlocksOfPagesLieAmongTheBlocks, "") {
    char *const blocks = (char *)0x300000000000, *const records = (char *)0x380000000000;
    const size_t page = hak_os_page_size();
    void *block;
    PLACE_EACH(0x200000000000, blocks, records);
    HAK_EXPECT_PTR_EQ(map(page, page), records - page);
    HAK_EXPECT_EQ(hak_os_map_block(MIB, page, &block), 0);
    HAK_EXPECT_PTR_EQ(block, blocks - MIB);
    HAK_EXPECT_PTR_EQ(map(page, page), records - 2 * page);
}

/* As regions that were refused their header: each refusal took the next one's address. */
HAK_TEST_ISOLATED(OsPlace, UnreservedRegionLeavesItsPlace, "") {
    char *const end = (char *)0x300000000000;
    void *region;
    PLACE_BELOW(end);
    HAK_EXPECT_EQ(hak_os_reserve_aligned(32 * MIB, 32 * MIB, &region), 0);
    for (unsigned i = 0; i < 3; i++) {
        HAK_EXPECT_EQ(hak_os_reserve_aligned(32 * MIB, 32 * MIB, &region), 0);
        HAK_EXPECT_PTR_EQ(region, end - 64 * MIB);
        HAK_EXPECT_EQ(hak_os_unreserve(region, 32 * MIB), 0);
    }
    /* A part of one that stays is none. */
    HAK_EXPECT_EQ(hak_os_unreserve(end - 16 * MIB, 16 * MIB), 0);
    HAK_EXPECT_EQ(hak_os_reserve_aligned(32 * MIB, 32 * MIB, &region), 0);
    HAK_EXPECT_PTR_EQ(region, end - 64 * MIB);
}

HAK_TEST(OsMappingsMost, IsWhatTheSystemSays) {
    char text[32] = {0};
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    if (file == NULL || fgets(text, sizeof text, file) == NULL) HAK_SKIP("the system does not say");
    fclose(file);
    HAK_EXPECT_EQ(hak_os_mappings_most(), strtoul(text, NULL, 10));
}

HAK_TEST(OsProcessRandom, IsTheSameInEveryCall) {
    static const uint32_t none[4];
    uint32_t first[4], second[4];
    hak_os_process_random(first);
    hak_os_process_random(second);
    HAK_EXPECT(memcmp(first, second, sizeof first) == 0);
    HAK_EXPECT(memcmp(first, none, sizeof first) != 0);
}
