/* SPDX-License-Identifier: MIT */
/* What the Linux form of os.h does where the kernel refuses in the middle of something.
 *
 * syscall(2), which it calls, is wrapped in this program and refuses on demand; so are the functions that it
 * calls in its place where a sanitizer has to see every mapping. There is no other way to make, say, the second of
 * three unmappings fail. */
#include <errno.h>
#include <linux/mman.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/os/os.h"
#include "tests/harness/harness.h"
#include "tests/unit/wrapped_syscall.h"

#define MIB ((size_t)1 << 20)

/* Calls from now that still work; negative: all do. */
static int munmaps_left = -1, madvises_left = -1, moves_left = -1;

/* Moves unmap their destination before they look at anything, as kernels before 6.17 do, and another thread maps something
 * there before the call returns. */
static bool moves_unmap_first;
static void *mapped_meanwhile; /* by that thread */

static bool refuses(int *left) {
    if (*left < 0) return false;
    if (*left > 0) {
        --*left;
        return false;
    }
    *left = -1;
    errno = ENOMEM;
    return true;
}

static void unmap_first(void *destination, size_t size) {
    __real_syscall(SYS_munmap, destination, size, 0L, 0L, 0L, 0L);
    const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    mapped_meanwhile =
        (void *)__real_syscall(SYS_mmap, destination, size, (long)(PROT_READ | PROT_WRITE), (long)fixed, -1L, 0L);
    memset(mapped_meanwhile, 5, size);
}

/* Mappings lie behind the addresses that there are tables for. */
static bool maps_high;
static long unmapped_high; /* the address that was given back then */

/* The next mapping without a wish lies there, as if all other addresses were taken. */
#define LOW ((char *)(70 * MIB))
static bool maps_low;

static long map_low(const long *argument) {
    const long map_fixed_noreplace = 0x100000;
    const long there[] = {(long)LOW,   argument[1], argument[2], argument[3] | map_fixed_noreplace,
                          argument[4], argument[5]};
    maps_low = false;
    return real_syscall(SYS_mmap, there);
}

static long answered_syscall(long number, const long *argument) {
    if (number == SYS_mmap && maps_low && argument[0] == 0) return map_low(argument);
    if (number == SYS_mmap && maps_high) return (long)1 << HAK_ADDRESS_BITS;
    if (number == SYS_munmap && argument[0] == (long)1 << HAK_ADDRESS_BITS) {
        unmapped_high = argument[0];
        return 0;
    }
    const bool moves = number == SYS_mremap && (argument[3] & MREMAP_MAYMOVE) != 0;
    if (moves && moves_unmap_first) unmap_first((void *)argument[4], (size_t)argument[2]);
    if ((number == SYS_munmap && refuses(&munmaps_left)) || (number == SYS_madvise && refuses(&madvises_left)) ||
        (moves && refuses(&moves_left))) {
        return -1;
    }
    return real_syscall(number, argument);
}

int munmap(void *start, size_t size) { return (int)__wrap_syscall(SYS_munmap, start, size, 0L, 0L, 0L, 0L); }

int madvise(void *start, size_t size, int advice) {
    return (int)__wrap_syscall(SYS_madvise, start, size, (long)advice, 0L, 0L, 0L);
}

void *mremap(void *start, size_t old_size, size_t new_size, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    void *destination = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, void *) : NULL;
    va_end(rest);
    return (void *)__wrap_syscall(SYS_mremap, start, old_size, new_size, (long)flags, destination, 0L);
}

/* true where nothing is mapped at `start` .. `start + size`: a mapping there, asked for with the promise to
 * replace nothing, succeeds. */
static bool is_free(void *start, size_t size) {
    const int map_fixed_noreplace = 0x100000;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | map_fixed_noreplace;
    void *probe = mmap(start, size, PROT_NONE, flags, -1, 0);
    if (probe == MAP_FAILED) return false;
    munmap(probe, size);
    return probe == start;
}

/* Address space in use; 0 where the system does not say. */
static size_t address_space_bytes(void) {
    unsigned long long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm != NULL && fscanf(statm, "%llu", &pages) != 1) pages = 0;
    if (statm != NULL) fclose(statm);
    return (size_t)pages * hak_os_page_size();
}

/* Occupies the place that the hint names after a mapping at `start`, so that the next one is trimmed. */
static void *occupy_below(char *start, size_t alignment) {
    return mmap(start - alignment, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* One hak_os_map of which munmap number `works` + 1 is refused: 1 and 2 are of the tries that are not aligned, 3 of the
 * head, 4 of the tail. false where it did not come to that, because something was aligned by chance. */
static bool map_with_refused_munmap(int works) {
    void *first = NULL, *start = NULL;
    struct os_counters before, after;
    if (hak_os_map(MIB, 64 * MIB, &first) != 0) return false;
    void *blocker = occupy_below(first, 64 * MIB);
    hak_os_counters_get(&before);
    munmaps_left = works;
    errno = EDOM;
    int error = hak_os_map(MIB, 64 * MIB, &start);
    bool refused = munmaps_left < 0;
    munmaps_left = -1;
    HAK_EXPECT_EQ(errno, EDOM);
    hak_os_counters_get(&after);
    if (refused) {
        HAK_EXPECT_EQ(error, ENOMEM);
        HAK_EXPECT_PTR_EQ(start, NULL);
        HAK_EXPECT_EQ(after.maps, before.maps);
        HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
    } else if (error == 0) {
        HAK_EXPECT_EQ(hak_os_unmap(start, MIB), 0);
    }
    munmap(blocker, MIB);
    HAK_EXPECT_EQ(hak_os_unmap(first, MIB), 0);
    return refused;
}

HAK_TEST(OsMap, RefusedTrimGivesTheWholeMappingBack) {
    for (int works = 0; works < 4; works++) {
        size_t before = address_space_bytes();
        bool refused = false;
        for (int attempt = 0; attempt < 4 && !refused; attempt++) refused = map_with_refused_munmap(works);
        HAK_EXPECT(refused || works == 3); /* where the second try was aligned by chance there are but three */
        /* A refusal of the first or second munmap leaves nobody to give that mapping back to; the others leave nothing. */
        HAK_EXPECT_LE(address_space_bytes(), before + (works <= 1 ? MIB : 0) + MIB / 2);
    }
}

/* Two mappings in a row that lie there; aborts if both are refused and nothing is counted. */
static void map_high(void) {
    void *start = NULL;
    struct os_counters before, after;
    hak_os_counters_get(&before);
    maps_high = true;
    for (unsigned i = 0; i < 2; i++) {
        unmapped_high = 0;
        if (hak_os_map(MIB, MIB, &start) != ENOMEM || start != NULL || unmapped_high == 0) _exit(0);
    }
    hak_os_counters_get(&after);
    if (after.maps == before.maps && after.mapped_bytes == before.mapped_bytes) abort();
    _exit(0);
}

/* A build for 47 bits wrote behind its page map on a kernel of 48. It is said once. */
HAK_TEST(OsMap, AnAddressBeyondTheTablesIsRefusedWithAWord) {
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("a sanitizer's functions map");
    HAK_EXPECT_DEATH(map_high(),
                     "^hakmem: warning: the system maps memory at addresses that this build has no tables for; "
                     "build hakmem with a larger HAK_ADDRESS_BITS\n$");
}

/* Below the only free addresses there is no place to try: what it said it had mapped was what lay there. */
HAK_TEST(OsReserveFirst, LowestAddressesAreNoPlace) {
    void *first = NULL;
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("a sanitizer's functions map");
    if (!is_free(LOW, MIB)) HAK_SKIP("something lies there");
    maps_low = true;
    HAK_ASSERT_TRUE(hak_os_reserve_first(MIB, 32 * MIB, &first) == 0);
    HAK_EXPECT(!maps_low);
    HAK_EXPECT(!is_free(first, MIB));
    HAK_EXPECT_EQ((uintptr_t)first % (32 * MIB), 0);
    HAK_EXPECT_EQ(hak_os_unmap(first, MIB), 0);
}

HAK_TEST(OsReserve, RefusedAdviceGivesTheReservationBack) {
    for (int works = 0; works < 2; works++) {
        struct os_counters before, after;
        hak_os_counters_get(&before);
        size_t address_space = address_space_bytes();
        void *start = NULL;
        madvises_left = works;
        errno = EDOM;
        HAK_EXPECT_EQ(hak_os_reserve(64 * MIB, &start), ENOMEM);
        HAK_EXPECT_EQ(errno, EDOM);
        HAK_EXPECT_PTR_EQ(start, NULL);
        HAK_EXPECT_LE(address_space_bytes(), address_space + MIB);
        hak_os_counters_get(&after);
        HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
    }
}

HAK_TEST(OsRemap, RefusedMoveLeavesTheContentAndNoDestination) {
    void *start = NULL;
    HAK_ASSERT_TRUE(hak_os_map(2 * MIB, 2 * MIB, &start) == 0);
    memset(start, 7, 2 * MIB);
    void *blocker = mmap((char *)start + 2 * MIB, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* Where the destination goes: directly below, by the hint. */
    char *expected = (char *)start - 4 * MIB;
    bool predictable = is_free(expected, 4 * MIB);
    void *result = NULL;
    moves_left = 0;
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_remap(start, 2 * MIB, 4 * MIB, 2 * MIB, &result), ENOMEM);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_EQ(moves_left, -1);
    HAK_EXPECT_PTR_EQ(result, NULL);
    for (size_t i = 0; i < 2 * MIB; i++) HAK_ASSERT_TRUE(((char *)start)[i] == 7);
    if (predictable) HAK_EXPECT(is_free(expected, 4 * MIB));
    munmap(blocker, MIB);
    HAK_EXPECT_EQ(hak_os_unmap(start, 2 * MIB), 0);
}

/* A block with a mapping behind it, so that it does not grow in place. */
struct confined {
    char *start;
    void *blocker;
};

static struct confined confine(void) {
    struct confined block = {NULL, NULL};
    void *start = NULL;
    if (hak_os_map(2 * MIB, 2 * MIB, &start) != 0) return block;
    memset(start, 7, 2 * MIB);
    block.start = start;
    block.blocker = mmap(block.start + 2 * MIB, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block;
}

static void release(const struct confined *block) {
    munmap(block->blocker, MIB);
    HAK_EXPECT_EQ(hak_os_unmap(block->start, 2 * MIB), 0);
}

static bool holds(const char *start, size_t size, char value) {
    for (size_t i = 0; i < size; i++) {
        if (start[i] != value) return false;
    }
    return true;
}

HAK_TEST(OsRemap, WhatAnotherThreadMapsAfterAFailedMoveStays) {
    const struct confined block = confine();
    HAK_ASSERT_TRUE(block.start != NULL);
    void *result = NULL;
    moves_unmap_first = true;
    moves_left = 0;
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_remap(block.start, 2 * MIB, 4 * MIB, 2 * MIB, &result), ENOMEM);
    moves_unmap_first = false;
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT(holds(block.start, 2 * MIB, 7));
    HAK_ASSERT_TRUE(mapped_meanwhile != NULL && !is_free(mapped_meanwhile, 4 * MIB));
    HAK_EXPECT(holds(mapped_meanwhile, 4 * MIB, 5));
    munmap(mapped_meanwhile, 4 * MIB);
    mapped_meanwhile = NULL;
    release(&block);
}

HAK_TEST(OsRemap, ABlockOfSeveralMappingsIsNotMoved) {
    const struct confined block = confine();
    HAK_ASSERT_TRUE(block.start != NULL);
    /* Advice for a part of it makes three mappings. */
    HAK_ASSERT_TRUE(__real_syscall(SYS_madvise, block.start + MIB, MIB / 2, (long)MADV_DONTFORK, 0L, 0L, 0L) == 0);
    void *result = NULL;
    moves_unmap_first = true;
    HAK_EXPECT_EQ(hak_os_remap(block.start, 2 * MIB, 4 * MIB, 2 * MIB, &result), ENOMEM);
    moves_unmap_first = false;
    HAK_EXPECT_PTR_EQ(mapped_meanwhile, NULL);
    HAK_EXPECT(holds(block.start, 2 * MIB, 7));
    /* It shrinks all the same. */
    HAK_EXPECT_EQ(hak_os_remap(block.start, 2 * MIB, MIB, 2 * MIB, &result), 0);
    HAK_EXPECT_PTR_EQ(result, block.start);
    HAK_EXPECT(holds(block.start, MIB, 7));
    munmap(block.blocker, MIB);
    HAK_EXPECT_EQ(hak_os_unmap(block.start, MIB), 0);
}
