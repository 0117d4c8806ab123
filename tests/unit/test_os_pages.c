/* SPDX-License-Identifier: MIT */
/* What os.h promises about pages that are mapped: reserved, purged, moved.
 *
 * Reads /proc/self/smaps and statm for what the promises mean to the system. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"
#include "tests/unit/os_mapping.h"

/* The VmFlags of the mapping that starts at `start`, as /proc/self/smaps has them. */
static void read_flags(const void *start, char flags[512]) {
    char line[512];
    bool within = false;
    flags[0] = '\0';
    FILE *smaps = fopen("/proc/self/smaps", "r");
    while (smaps != NULL && fgets(line, sizeof line, smaps) != NULL) {
        char *end;
        uintptr_t address = (uintptr_t)strtoull(line, &end, 16);
        if (*end == '-') within = address == (uintptr_t)start;
        if (within && strncmp(line, "VmFlags:", 8) == 0) strcpy(flags, line + 8);
    }
    if (smaps != NULL) fclose(smaps);
}

HAK_TEST(OsReserve, ReadsAsZeroAndIsKeptFromDumpsAndHugePages) {
    void *start = NULL;
    HAK_ASSERT_TRUE(hak_os_reserve(2 * GIB, &start) == 0);
    HAK_EXPECT(pattern_all_zero((unsigned char *)start + GIB, 64 * KIB));
    char flags[512];
    read_flags(start, flags);
    if (flags[0] != '\0') {
        HAK_EXPECT(strstr(flags, " dd") != NULL);
        HAK_EXPECT(strstr(flags, " nh") != NULL || access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0);
    }
    HAK_EXPECT_EQ(hak_os_unmap(start, 2 * GIB), 0);
}

HAK_TEST(OsReserve, CannotBeWrittenBeforeItIsMadeWritable) {
    size_t page = hak_os_page_size();
    void *start = NULL;
    HAK_ASSERT_TRUE(hak_os_reserve(64 * MIB, &start) == 0);
    volatile unsigned char *bytes = start;
    HAK_EXPECT_DEATH(bytes[8 * page] = 1, "");
    HAK_EXPECT_EQ(hak_os_make_writable((unsigned char *)start + 8 * page, 2 * page), 0);
    bytes[8 * page] = 1;
    bytes[10 * page - 1] = 1;
    HAK_EXPECT_DEATH(bytes[8 * page - 1] = 1, "");
    HAK_EXPECT_DEATH(bytes[10 * page] = 1, "");
    /* Again, and with what is beside it: nothing is lost. */
    HAK_EXPECT_EQ(hak_os_make_writable((unsigned char *)start + 7 * page, 4 * page), 0);
    HAK_EXPECT_EQ(bytes[8 * page], 1);
    HAK_EXPECT_EQ(bytes[7 * page], 0);
    HAK_EXPECT_EQ(hak_os_unmap(start, 64 * MIB), 0);
}

/* The process has at least `bytes` less than `before` resident. A sanitizer's own memory hides that. */
static void expect_fewer_resident(size_t before, size_t bytes) {
    size_t now = system_resident_bytes();
#if defined(HAK_TEST_ASAN) || defined(HAK_TEST_TSAN)
    bytes = 0;
    before = now;
#endif
    HAK_EXPECT_LE(now + bytes, before);
}

HAK_TEST(OsPurge, RangeReadsAsZeroAndTheRestStays) {
    unsigned char *start = map(4 * MIB, 2 * MIB);
    pattern_fill(start, 3 * MIB, SEED);
    memset(start + 3 * MIB, 5, MIB);
    size_t resident = system_resident_bytes();
    struct os_counters before = counters();
    HAK_EXPECT_EQ(hak_os_purge(start + MIB, 2 * MIB), 0);
    expect_fewer_resident(resident, MIB);
    HAK_EXPECT(pattern_holds(start, MIB, SEED));
    HAK_EXPECT(pattern_all_zero(start + MIB, 2 * MIB));
    HAK_EXPECT_EQ(start[3 * MIB], 5);
    HAK_EXPECT_EQ(start[4 * MIB - 1], 5);
    HAK_EXPECT_EQ(counters().purges, before.purges + 1);
    HAK_EXPECT_EQ(counters().purged_bytes, before.purged_bytes + 2 * MIB);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
    HAK_EXPECT_EQ(hak_os_unmap(start, 4 * MIB), 0);
}

HAK_TEST(OsPurge, BadRangeIsEINVALAndKeepsErrno) {
    unsigned char *start = map(64 * KIB, hak_os_page_size());
    struct os_counters before = counters();
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_purge(start + 1, hak_os_page_size()), EINVAL);
    HAK_EXPECT_EQ(hak_os_unmap(start + 1, hak_os_page_size()), EINVAL);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_EQ(counters().purges, before.purges);
    HAK_EXPECT_EQ(counters().unmaps, before.unmaps);
    HAK_EXPECT_EQ(hak_os_unmap(start, 64 * KIB), 0);
}

static void touch(volatile unsigned char *p) { *p = 1; }

HAK_TEST(OsMakeInaccessible, KeepsThePagesUntilTheyAreWritableAgain) {
    unsigned char *start = map(MIB, MIB);
    memset(start, 7, MIB);
    HAK_EXPECT_EQ(hak_os_make_inaccessible(start + 64 * KIB, 64 * KIB), 0);
    HAK_EXPECT_DEATH(touch(start + 64 * KIB), "");
    HAK_EXPECT_DEATH(touch(start + 128 * KIB - 1), "");
    touch(start + 64 * KIB - 1);
    touch(start + 128 * KIB);
    HAK_EXPECT_EQ(hak_os_make_writable(start + 64 * KIB, 64 * KIB), 0);
    HAK_EXPECT_EQ(start[64 * KIB], 7);
    HAK_EXPECT_EQ(hak_os_unmap(start, MIB), 0);
}

HAK_TEST(OsResident, KnowsThePagesThatWereTouched) {
    const size_t page = hak_os_page_size();
    unsigned char resident[16];
    unsigned char *start = map(16 * page, page);
    HAK_EXPECT_EQ(hak_os_no_huge_pages(start, 16 * page), 0);
    touch(start + 3 * page);
    touch(start + 15 * page);
    HAK_ASSERT_TRUE(hak_os_resident(start, 16 * page, resident) == 0);
    for (unsigned i = 0; i < 16; i++) HAK_EXPECT_EQ(resident[i] & 1, i == 3 || i == 15);
    HAK_EXPECT_EQ(hak_os_unmap(start, 16 * page), 0);
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_resident(start, 16 * page, resident), ENOMEM);
    HAK_EXPECT_EQ(errno, EDOM);
}

HAK_TEST(OsPopulate, MakesTheRangeResidentAndChangesNoByte) {
    const size_t page = hak_os_page_size();
    unsigned char resident[16];
    unsigned char *start = map(16 * page, page);
    HAK_EXPECT_EQ(hak_os_no_huge_pages(start, 16 * page), 0);
    start[3 * page] = 7;
    errno = EDOM;
    const int error = hak_os_populate(start, 8 * page);
    HAK_EXPECT_EQ(errno, EDOM);
    if (error == EINVAL) HAK_SKIP("Linux before 5.14");
    HAK_EXPECT_EQ(error, 0);
    HAK_ASSERT_TRUE(hak_os_resident(start, 16 * page, resident) == 0);
    for (unsigned i = 0; i < 16; i++) HAK_EXPECT_EQ(resident[i] & 1, i < 8);
    for (size_t i = 0; i < 8 * page; i++) HAK_ASSERT_TRUE(start[i] == (i == 3 * page ? 7 : 0));
    HAK_EXPECT_EQ(hak_os_unmap(start, 16 * page), 0);
    HAK_EXPECT_EQ(hak_os_populate(start, 8 * page), ENOMEM);
    HAK_EXPECT_EQ(errno, EDOM);
}

HAK_TEST(OsRandom, DiffersFromCallToCall) {
    uint64_t first = 0, second = 0;
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_random(&first, sizeof first), 0);
    HAK_EXPECT_EQ(hak_os_random(&second, sizeof second), 0);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_NE(first, second);
}

HAK_TEST(OsNoHugePages, IsNoError) {
    unsigned char *start = map(4 * MIB, 2 * MIB);
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_no_huge_pages(start, 4 * MIB), 0);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_EQ(hak_os_unmap(start, 4 * MIB), 0);
}

HAK_TEST(OsRemap, GrowsBesideANeighbourWithContentAndAlignmentKept) {
    /* A page of ours directly behind the block leaves no room in place. */
    unsigned char *start = map(2 * MIB, 2 * MIB);
    void *blocker = mmap(start + 2 * MIB, hak_os_page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pattern_fill(start, 2 * MIB, SEED);
    struct os_counters before = counters();
    void *grown = NULL;
    HAK_ASSERT_TRUE(hak_os_remap(start, 2 * MIB, 5 * MIB, 2 * MIB, &grown) == 0);
    HAK_EXPECT(is_aligned(grown, 2 * MIB));
    HAK_EXPECT(pattern_holds(grown, 2 * MIB, SEED));
    HAK_EXPECT(pattern_all_zero((unsigned char *)grown + 2 * MIB, 3 * MIB));
    memset(grown, 1, 5 * MIB);
    HAK_EXPECT_EQ(counters().remaps, before.remaps + 1);
    HAK_EXPECT_EQ(counters().maps, before.maps);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes + 3 * MIB);
    HAK_EXPECT_EQ(hak_os_unmap(grown, 5 * MIB), 0);
    munmap(blocker, hak_os_page_size());
}

HAK_TEST(OsRemap, GrowsInPlaceWhereThereIsRoom) {
    unsigned char *start = map(8 * MIB, 2 * MIB);
    HAK_EXPECT_EQ(hak_os_unmap(start + 4 * MIB, 4 * MIB), 0);
    pattern_fill(start, 4 * MIB, SEED);
    void *grown = NULL;
    HAK_ASSERT_TRUE(hak_os_remap(start, 4 * MIB, 6 * MIB, 2 * MIB, &grown) == 0);
    HAK_EXPECT_PTR_EQ(grown, start);
    HAK_EXPECT(pattern_holds(grown, 4 * MIB, SEED));
    HAK_EXPECT(pattern_all_zero((unsigned char *)grown + 4 * MIB, 2 * MIB));
    HAK_EXPECT_EQ(hak_os_unmap(grown, 6 * MIB), 0);
}

HAK_TEST(OsRemap, ShrinksInPlaceAndGivesTheRestBack) {
    unsigned char *start = map(8 * MIB, 2 * MIB);
    pattern_fill(start, 8 * MIB, SEED);
    size_t resident = system_resident_bytes();
    struct os_counters before = counters();
    void *shrunk = NULL;
    HAK_ASSERT_TRUE(hak_os_remap(start, 8 * MIB, 3 * MIB, 2 * MIB, &shrunk) == 0);
    HAK_EXPECT_PTR_EQ(shrunk, start);
    HAK_EXPECT(pattern_holds(shrunk, 3 * MIB, SEED));
    expect_fewer_resident(resident, 4 * MIB);
    HAK_EXPECT_EQ(counters().mapped_bytes + 5 * MIB, before.mapped_bytes);
    HAK_EXPECT_EQ(hak_os_unmap(shrunk, 3 * MIB), 0);
}

HAK_TEST(OsRemap, MovesToALargerAlignment) {
    unsigned char *mapped = map(8 * MIB, 4 * MIB);
    unsigned char *start = mapped + MIB;
    pattern_fill(start, MIB, SEED);
    for (size_t new_size = 512 * KIB; new_size <= 2 * MIB; new_size *= 2) {
        void *moved = NULL;
        size_t old_size = new_size == 512 * KIB ? MIB : new_size / 2;
        HAK_ASSERT_TRUE(hak_os_remap(start, old_size, new_size, 4 * MIB, &moved) == 0);
        HAK_EXPECT(is_aligned(moved, 4 * MIB));
        HAK_EXPECT(pattern_holds(moved, 512 * KIB, SEED));
        start = moved;
    }
    HAK_EXPECT_EQ(hak_os_unmap(start, 2 * MIB), 0);
    HAK_EXPECT_EQ(hak_os_unmap(mapped, MIB), 0);
    HAK_EXPECT_EQ(hak_os_unmap(mapped + 2 * MIB, 6 * MIB), 0);
}

HAK_TEST(OsRemap, FailureLeavesEverythingAsItWas) {
    unsigned char *start = map(2 * MIB, 2 * MIB);
    pattern_fill(start, 2 * MIB, SEED);
    struct os_counters before = counters();
    void *result = &before;
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_remap(start, 2 * MIB, (size_t)1 << 62, 2 * MIB, &result), ENOMEM);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_PTR_EQ(result, &before);
    HAK_EXPECT(pattern_holds(start, 2 * MIB, SEED));
    HAK_EXPECT_EQ(counters().remaps, before.remaps);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
    HAK_EXPECT_EQ(hak_os_unmap(start, 2 * MIB), 0);
}
