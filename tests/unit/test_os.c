/* SPDX-License-Identifier: MIT */
/* What os.h promises about mapping and unmapping, on the system that the test runs on.
 *
 * Tests that change a limit or use it up do so in a child process. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/unit/os_mapping.h"

HAK_TEST(OsPageSize, IsAPowerOfTwo) {
    size_t page = hak_os_page_size();
    HAK_EXPECT_GE(page, 4096);
    HAK_EXPECT_EQ(page & (page - 1), 0);
}

/* This machine's, whatever it is: the kernel may move the thread between the two questions. */
HAK_TEST(OsNode, OfAThreadIsOneOfTheMachines) {
    HAK_EXPECT_EQ(hak_os_node(), 0);
    errno = 4711;
    const unsigned count = hak_os_node_count();
    HAK_EXPECT_GE(count, 1);
    for (unsigned i = 0; i < 100; i++) HAK_EXPECT_LT(hak_os_node(), count);
    HAK_EXPECT_EQ(errno, 4711);
}

HAK_TEST(OsMap, IsZeroedAlignedAndWritable) {
    size_t page = hak_os_page_size();
    for (size_t alignment = page; alignment <= GIB; alignment *= 4) {
        size_t sizes[] = {page, 3 * page, 64 * KIB, 5 * MIB};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            unsigned char *start = map(sizes[i], alignment);
            HAK_EXPECT(is_aligned(start, alignment));
            HAK_EXPECT(pattern_all_zero(start, sizes[i]));
            pattern_fill(start, sizes[i], SEED);
            HAK_EXPECT(pattern_holds(start, sizes[i], SEED));
            HAK_EXPECT_EQ(hak_os_unmap(start, sizes[i]), 0);
        }
    }
}

HAK_TEST(OsMap, AlignedMappingsDoNotOverlap) {
    enum { COUNT = 40 };
    unsigned char *starts[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        starts[i] = map(32 * MIB, 32 * MIB);
        HAK_EXPECT(pattern_all_zero(starts[i], 4096));
        memset(starts[i], (int)i + 1, 4096);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        HAK_EXPECT_EQ(starts[i][0], i + 1);
        HAK_EXPECT_EQ(hak_os_unmap(starts[i], 32 * MIB), 0);
    }
}

/* Bytes of address space in use, as the system counts them. */
static size_t address_space_bytes(void) {
    unsigned long long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm != NULL) {
        if (fscanf(statm, "%llu", &pages) != 1) pages = 0;
        fclose(statm);
    }
    return (size_t)pages * hak_os_page_size();
}

HAK_TEST(OsMap, LeavesNothingMappedBesides) {
    enum { COUNT = 200 };
    unsigned char *starts[COUNT], *neighbours[COUNT];
    size_t page = hak_os_page_size();
    size_t before = address_space_bytes();
    for (int i = 0; i < COUNT; i++) {
        starts[i] = map(2 * MIB, 256 * MIB);
        /* In the way of the next hint, so that both forms of hak_os_map have their turn. */
        neighbours[i] = map(page, page);
        if (i % 2 != 0) HAK_EXPECT_EQ(hak_os_unmap(neighbours[i], page), 0);
    }
    size_t grown = address_space_bytes() - before;
    HAK_EXPECT_LE(grown, COUNT * (2 * MIB + page) + 64 * MIB);
    for (int i = 0; i < COUNT; i++) {
        HAK_EXPECT_EQ(hak_os_unmap(starts[i], 2 * MIB), 0);
        if (i % 2 == 0) HAK_EXPECT_EQ(hak_os_unmap(neighbours[i], page), 0);
    }
}

HAK_TEST(OsMap, TakesTheHoleOfWhatWasUnmapped) {
    /* A program that always maps the next block before it unmaps the last stays in one place. */
    unsigned char *last = map(MIB, MIB);
    uintptr_t lowest = (uintptr_t)last, highest = (uintptr_t)last;
    for (int i = 0; i < 1000; i++) {
        unsigned char *next = map(MIB, MIB);
        HAK_EXPECT_EQ(hak_os_unmap(last, MIB), 0);
        last = next;
        if ((uintptr_t)last < lowest) lowest = (uintptr_t)last;
        if ((uintptr_t)last > highest) highest = (uintptr_t)last;
    }
    HAK_EXPECT_LE(highest - lowest, 64 * MIB);
    HAK_EXPECT_EQ(hak_os_unmap(last, MIB), 0);
}

HAK_TEST(OsMap, ImpossibleSizesAreENOMEMAndKeepErrno) {
    size_t page = hak_os_page_size();
    void *start = &page;
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_map(SIZE_MAX - page + 1, page, &start), ENOMEM);
    HAK_EXPECT_EQ(hak_os_map(SIZE_MAX - page + 1, 32 * MIB, &start), ENOMEM);
    HAK_EXPECT_EQ(hak_os_map((size_t)1 << 62, 32 * MIB, &start), ENOMEM);
    HAK_EXPECT_EQ(hak_os_reserve((size_t)1 << 62, &start), ENOMEM);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_PTR_EQ(start, &page);
}

static void map_in_a_small_address_space(void) {
    struct rlimit limit = {256 * MIB, 256 * MIB};
    /* Something in the places that are tried first, so that the aligned one needs all of its alignment. */
    unsigned char *first = map(32 * MIB, GIB);
    unsigned char *kernels = map(32 * MIB, hak_os_page_size());
    HAK_ASSERT_TRUE(hak_os_unmap(kernels, 32 * MIB) == 0);
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    for (uintptr_t place = (uintptr_t)first - 4 * GIB; place < (uintptr_t)kernels + GIB; place += GIB) {
        mmap((void *)(place & ~(uintptr_t)(GIB - 1)), hak_os_page_size(), PROT_READ, flags, -1, 0);
    }
    HAK_ASSERT_TRUE(setrlimit(RLIMIT_AS, &limit) == 0);
    struct os_counters before = counters();
    void *start = NULL;
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_map(512 * MIB, hak_os_page_size(), &start), ENOMEM);
    HAK_EXPECT_EQ(hak_os_map(32 * MIB, GIB, &start), ENOMEM);
    HAK_EXPECT_EQ(hak_os_reserve(512 * MIB, &start), ENOMEM);
    HAK_EXPECT_PTR_EQ(start, NULL);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_EQ(counters().maps, before.maps);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
    /* The failures kept nothing: what fits still fits. */
    HAK_EXPECT_EQ(hak_os_map(64 * MIB, 64 * MIB, &start), 0);
}

HAK_TEST(OsMap, SmallAddressSpaceIsENOMEMAndKeepsErrno) {
#if defined(HAK_TEST_ASAN) || defined(HAK_TEST_TSAN)
    HAK_SKIP("a sanitizer needs terabytes of address space");
#endif
    HAK_EXPECT_EXIT_OK(map_in_a_small_address_space());
}

static void *map_and_unmap(void *failed) {
    for (unsigned i = 1; i < HAK_TEST_SCALE(2000); i++) {
        void *start = NULL;
        if (hak_os_map(2 * MIB, 2 * MIB, &start) != 0) return failed;
        unsigned *words = start;
        if (!is_aligned(start, 2 * MIB) || words[0] != 0) return failed;
        words[0] = i;
        words[MIB / sizeof *words] = i;
        if (words[0] != i || words[MIB / sizeof *words] != i) return failed;
        if (hak_os_unmap(start, 2 * MIB) != 0) return failed;
    }
    return NULL;
}

HAK_TEST(OsMap, ThreadsNeverGetTheSamePlace) {
    pthread_t threads[4];
    int failed;
    for (unsigned i = 0; i < 4; i++) {
        HAK_ASSERT_TRUE(pthread_create(&threads[i], NULL, map_and_unmap, &failed) == 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        HAK_EXPECT_PTR_EQ(result, NULL);
    }
}

HAK_TEST(OsCounters, CountMapsAndUnmapsAndTheirBytes) {
    struct os_counters before = counters();
    unsigned char *start = map(6 * MIB, 4 * MIB);
    void *reserved = NULL;
    HAK_EXPECT_EQ(hak_os_reserve(GIB, &reserved), 0);
    HAK_EXPECT_EQ(counters().maps, before.maps + 2);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes + 6 * MIB + GIB);
    HAK_EXPECT_EQ(hak_os_unmap(start, 2 * MIB), 0);
    HAK_EXPECT_EQ(hak_os_unmap(start + 2 * MIB, 4 * MIB), 0);
    HAK_EXPECT_EQ(hak_os_unmap(reserved, GIB), 0);
    HAK_EXPECT_EQ(counters().unmaps, before.unmaps + 3);
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
}

/* As many mappings as the kernel allows a process, in a child that then tries what would need more. */
static void use_up_all_mappings(unsigned char *pages, size_t count) {
    for (size_t i = 0; i < count; i += 2) {
        if (mprotect(pages + i * hak_os_page_size(), hak_os_page_size(), PROT_READ) != 0) return;
    }
}

static void fail_for_want_of_mappings(size_t limit) {
    size_t page = hak_os_page_size();
    unsigned char *block = map(64 * page, page);
    pattern_fill(block, 64 * page, SEED);
    void *reserved = NULL;
    HAK_ASSERT_TRUE(hak_os_reserve(64 * page, &reserved) == 0);
    unsigned char *pages = map((limit + 2) * page, page);
    use_up_all_mappings(pages, limit + 2);
    struct os_counters before = counters();
    void *out = NULL;
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_unmap(block + 8 * page, page), ENOMEM);
    HAK_EXPECT_EQ(hak_os_make_writable((unsigned char *)reserved + 8 * page, page), ENOMEM);
    HAK_EXPECT_EQ(hak_os_remap(block, 64 * page, GIB, GIB, &out), ENOMEM);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT(pattern_holds(block, 64 * page, SEED));
    HAK_EXPECT_EQ(counters().mapped_bytes, before.mapped_bytes);
    HAK_EXPECT_EQ(counters().unmaps, before.unmaps);
}

HAK_TEST(OsUnmap, TooManyMappingsIsENOMEM) {
    unsigned long long limit = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    if (file == NULL || fscanf(file, "%llu", &limit) != 1 || limit > 200000) HAK_SKIP("no small limit of mappings");
    fclose(file);
#if defined(HAK_TEST_ASAN) || defined(HAK_TEST_TSAN)
    HAK_SKIP("a sanitizer maps memory itself");
#endif
    HAK_EXPECT_EXIT_OK(fail_for_want_of_mappings((size_t)limit));
}
