/* SPDX-License-Identifier: MIT */
/* A process whose address space is limited (ulimit -v): the allocator does without its large reservation, and
 * the end of memory is an error like any other. The allocator finds the limit when the program is loaded, so each
 * test sets it and then starts its own process anew. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/size_class/size_class.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/threads.h"

#define MIB ((size_t)1 << 20)

/* Too little for two gigabytes of page map, enough for the test. */
#define LIMIT (600 * MIB)

/* This program with these arguments once more, in this process. */
static void start_anew(void) {
    static char line[4096];
    char *arguments[64] = {NULL};
    const int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    const ssize_t length = read(file, line, sizeof line - 1);
    unsigned count = 0;
    for (char *at = line; at < line + length && count < 63; at += strlen(at) + 1) arguments[count++] = at;
    execv("/proc/self/exe", arguments);
}

static void limit_address_space(void) {
    struct rlimit limit;
    HAK_ASSERT_TRUE(getrlimit(RLIMIT_AS, &limit) == 0);
    if (limit.rlim_cur == LIMIT) return;
    limit = (struct rlimit){LIMIT, LIMIT};
    HAK_ASSERT_TRUE(setrlimit(RLIMIT_AS, &limit) == 0);
    start_anew();
    HAK_EXPECT(!"started anew");
}

static bool is_limitable(void) {
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    return false; /* the sanitizer's shadow is larger than any limit */
#else
    return true;
#endif
}

static void use_every_size(void *argument, unsigned index) {
    void *blocks[CENSUS_SIZE_COUNT];
    (void)argument;
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        blocks[i] = hak_alloc(census_sizes[i]);
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        pattern_mark_pages(blocks[i], census_sizes[i], index + i);
        struct hak_owner_info info;
        HAK_ASSERT_TRUE(hak_owner((char *)blocks[i] + census_sizes[i] / 2, &info));
        HAK_EXPECT_PTR_EQ(info.block, blocks[i]);
    }
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        HAK_EXPECT(pattern_pages_hold(blocks[i], census_sizes[i], index + i));
        void *p = hak_realloc(blocks[i], census_sizes[i] / 2 + 1);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT(pattern_pages_hold(p, census_sizes[i] / 2, index + i));
        hak_free(p);
    }
}

HAK_TEST_ISOLATED(LimitedMemory, EveryPoolWorks, "") {
    if (!is_limitable()) HAK_SKIP("a sanitizer is on");
    limit_address_space();
    for (unsigned round = 0; round < 20; round++) use_every_size(NULL, round);
    threads_run(3, use_every_size, NULL);
    HAK_EXPECT_EQ(census_live_blocks(), 0);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST_ISOLATED(LimitedMemory, ForeignPointersAreReported, "") {
    if (!is_limitable()) HAK_SKIP("a sanitizer is on");
    int local = 0;
    limit_address_space();
    char *p = (char *)hak_alloc(100);
    HAK_EXPECT_DEATH(hak_free(&local), "foreign pointer");
    HAK_EXPECT_DEATH(
        {
            hak_free(p + 8);
            hak_thread_flush();
        },
        "interior pointer");
    HAK_EXPECT_DEATH(
        {
            hak_free(p);
            hak_free(p);
            hak_thread_flush();
        },
        "double free");
    hak_free(p);
}

HAK_TEST_ISOLATED(LimitedMemory, GuardFindsInvalidFreesAtOnce, "") {
    static const size_t sizes[] = {1, 100, 5000, 200000, 3 * MIB};
    if (!is_limitable()) HAK_SKIP("a sanitizer is on");
    if (!HAK_GUARD_EXACT) HAK_SKIP("built without guard");
    limit_address_space();
    HAK_EXPECT_EQ(hak_shadow.limit, 0);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = (char *)hak_alloc(sizes[i]);
        HAK_EXPECT_EQ(shadow_class(p), size_class_of(sizes[i]));
        HAK_EXPECT_EQ(shadow_class(p + 8), 0);
        HAK_EXPECT_DEATH(
            {
                hak_free(p);
                hak_free(p);
            },
            "double free");
        HAK_EXPECT_DEATH(hak_free(p + 16), sizes[i] == 1 ? "double free" : "interior pointer");
        HAK_EXPECT_DEATH(hak_free_sized(p, 2 * sizes[i] + 16), "wrong size");
        hak_free(p);
        HAK_EXPECT_EQ(shadow_class(p), 0);
    }
}

/* Fills the address space with blocks of one size, gives all back, and can do so again. */
static void expect_end_of_memory_and_recovery(size_t size) {
    enum { BLOCKS_MAX = 40000 };
    static void *blocks[BLOCKS_MAX];
    unsigned first_count = 0;
    for (unsigned round = 0; round < 3; round++) {
        unsigned count = 0;
        errno = 0;
        while (count < BLOCKS_MAX && (blocks[count] = hak_alloc(size)) != NULL) count++;
        HAK_EXPECT_EQ(errno, ENOMEM);
        HAK_EXPECT_GT(count * size, LIMIT / 4);
        HAK_EXPECT_EQ(census_live_blocks(), count);
        for (unsigned i = 0; i < count; i++) hak_free(blocks[i]);
        HAK_EXPECT_EQ(census_live_blocks(), 0);
        if (round == 0) first_count = count;
        HAK_EXPECT_GE(count + count / 8, first_count);
    }
}

HAK_TEST_ISOLATED(LimitedMemory, EndOfMemoryIsAnErrorAndPasses, "") {
    if (!is_limitable()) HAK_SKIP("a sanitizer is on");
    limit_address_space();
    /* Huge blocks first: address space that was once cut into regions stays so. */
    expect_end_of_memory_and_recovery(3 * MIB);
    expect_end_of_memory_and_recovery(32768);
    expect_end_of_memory_and_recovery(300000);
    expect_end_of_memory_and_recovery(32768);
    CENSUS_EXPECT_CONSISTENT();
}
