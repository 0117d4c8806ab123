/* SPDX-License-Identifier: MIT */
/* The sampling profile: what is sampled, and that it is seen again. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hakmem/flags/flags.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"
#include "tests/unit/profile_sum.h"

#define MIB ((size_t)1 << 20)

HAK_TEST(Profile, EveryBlockOfEveryPoolIsSeenAndSeenAgain) {
    void *blocks[CENSUS_SIZE_COUNT];
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    const uint64_t live = census_live_blocks(), allocations = census_allocations(), frees = census_frees();
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        const struct sum before = sum_of(SITE(i));
        blocks[i] = hak_alloc_at(census_sizes[i], SITE(i));
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        HAK_EXPECT_EQ(sum_of(SITE(i)).samples, before.samples + 1);
        HAK_EXPECT_EQ(sum_of(SITE(i)).live_samples, 1);
        HAK_EXPECT(hak_usable_size(blocks[i]) >= census_sizes[i]);
        HAK_EXPECT_PTR_EQ(hak_profile_site_of(blocks[i]), SITE(i));
        pattern_mark_pages(blocks[i], census_sizes[i], i);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live + CENSUS_SIZE_COUNT);
    CENSUS_EXPECT_ALLOCATIONS(allocations, census_allocations(), CENSUS_SIZE_COUNT);
    CENSUS_EXPECT_CONSISTENT();
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        HAK_EXPECT(pattern_pages_hold(blocks[i], census_sizes[i], i));
        hak_free(blocks[i]);
        HAK_EXPECT_EQ(sum_of(SITE(i)).live_samples, 0);
    }
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    if (census_all().exact) HAK_EXPECT_EQ(census_frees(), frees + CENSUS_SIZE_COUNT);
    CENSUS_EXPECT_CONSISTENT();
    hak_profile_stop();
}

/* What the profile counted as asked for since. */
static uint64_t asked_since(uint64_t before) { return sum_of(NULL).asked - before; }

HAK_TEST(Profile, KnowsTheBytesThatWereAskedFor) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        const size_t size = census_sizes[i];
        uint64_t before = sum_of(NULL).asked;
        void *p = hak_alloc(size);
        HAK_EXPECT_EQ(asked_since(before), size);
        hak_free(p);
        HAK_EXPECT_EQ(asked_since(before), size); /* of all samples, freed or not */
        before = sum_of(NULL).asked;
        hak_free(hak_calloc(1, size));
        HAK_EXPECT_EQ(asked_since(before), size);
        before = sum_of(NULL).asked;
        hak_free(hak_aligned_alloc(64, size));
        HAK_EXPECT_EQ(asked_since(before), size);
        p = hak_alloc(8);
        before = sum_of(NULL).asked;
        p = hak_realloc(p, size + 1000); /* it moves */
        HAK_EXPECT_EQ(asked_since(before), size + 1000);
        hak_free(p);
        before = sum_of(SITE(40)).asked;
        hak_free(hak_alloc_at(size, SITE(40)));
        HAK_EXPECT_EQ(sum_of(SITE(40)).asked, before + size);
    }
    hak_profile_stop();
}

HAK_TEST(Profile, OwnerKnowsASampledBlockAtAnyAddressInIt) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        char *p = (char *)hak_alloc(census_sizes[i]);
        const size_t usable = hak_usable_size(p);
        const size_t offsets[] = {0, 1, usable / 2, usable - 1};
        for (unsigned k = 0; k < 4; k++) {
            struct hak_owner_info info;
            HAK_ASSERT_TRUE(hak_owner(p + offsets[k], &info));
            HAK_EXPECT_PTR_EQ(info.block, p);
            HAK_EXPECT_EQ(info.block_size, usable);
            if (usable <= 1024) HAK_EXPECT_EQ(info.thread, 0); /* of a slab that is the profile's */
        }
        HAK_EXPECT_EQ(hak_usable_size(p + 1), 0);
        hak_free(p);
    }
    hak_profile_stop();
}

HAK_TEST(Profile, CallocOfASampledBlockReadsZero) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
            unsigned char *p = (unsigned char *)hak_calloc(1, census_sizes[i]);
            HAK_ASSERT_TRUE(p != NULL);
            size_t wrong = 0;
            for (size_t k = 0; k < census_sizes[i]; k++) wrong += p[k] != 0;
            HAK_EXPECT_EQ(wrong, 0);
            memset(p, 0xa5, census_sizes[i]);
            hak_free(p);
        }
    }
    hak_profile_stop();
}

HAK_TEST(Profile, ReallocKeepsTheContentThroughAllPools) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    const uint64_t live = census_live_blocks();
    void *p = hak_alloc(16);
    pattern_mark_pages(p, 16, 5);
    size_t size = 16;
    for (unsigned step = 0; step < 2 * CENSUS_SIZE_COUNT; step++) {
        const size_t wanted = census_sizes[step < CENSUS_SIZE_COUNT ? step : 2 * CENSUS_SIZE_COUNT - 1 - step] + 16;
        p = hak_realloc(p, wanted);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT(pattern_pages_hold(p, wanted < size ? wanted : size, 5));
        pattern_mark_pages(p, wanted, 5);
        size = wanted;
        HAK_EXPECT_EQ(hak_profile_live_count(), 1);
        HAK_EXPECT_EQ(census_live_blocks(), live + 1);
    }
    HAK_EXPECT_PTR_EQ(hak_realloc(p, 0), NULL);
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    hak_profile_stop();
}

HAK_TEST(Profile, SecondFreeOfASampledBlockIsReported) {
    static const size_t sizes[] = {40, 5000, 100000, 3 * MIB};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < 4; i++) {
        void *p = hak_alloc(sizes[i]);
        void *neighbour = hak_alloc(sizes[i]);
        hak_free(p);
        /* A block that is a slab by itself is in a magazine now, as if it had not been sampled. */
        const bool is_known = sizes[i] <= HAK_L2_MAX || sizes[i] > HAK_L25_MAX || HAK_GUARD_EXACT;
        if (is_known) HAK_EXPECT_DEATH(hak_free(p), "hakmem: free\\(0x[0-9a-f]+\\): ");
        HAK_EXPECT_DEATH(hak_free((char *)neighbour + 8), "hakmem: free\\(0x[0-9a-f]+\\): interior pointer");
        hak_free(neighbour);
    }
    hak_profile_stop();
}

/* The return address stands for the call. */
__attribute__((noinline)) static void *call_alloc(size_t size) {
    void *p = hak_alloc(size);
    __asm__ volatile("" : : "r"(p) : "memory"); /* no jump to hak_alloc */
    return p;
}
__attribute__((noinline)) static void *call_calloc(size_t size) {
    void *p = hak_calloc(1, size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}
__attribute__((noinline)) static void *call_realloc(size_t size) {
    void *p = hak_realloc(hak_alloc_at(size / 2 + 1, SITE(0)), size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}
__attribute__((noinline)) static void *call_aligned(size_t size) {
    void *p = hak_aligned_alloc(64, size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

HAK_TEST(Profile, SiteIsTheProgramsCall) {
    void *(*const calls[])(size_t) = {call_alloc, call_calloc, call_realloc, call_aligned};
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    HAK_SKIP("an instrumented library calls where it would jump, so the return address is its own");
#endif
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 1; k < CENSUS_SIZE_COUNT; k++) {
            void *p = calls[i](census_sizes[k]);
            const uintptr_t distance = (uintptr_t)hak_profile_site_of(p) - (uintptr_t)calls[i];
            /* Such a function is some dozens of bytes long. A realloc that stays within its block is no new call. */
            if (hak_profile_site_of(p) != SITE(0)) HAK_EXPECT_LT(distance, 100);
            hak_free(p);
        }
    }
    hak_profile_stop();
}

HAK_TEST(Profile, RateIsChecked) { HAK_EXPECT_EQ(hak_profile_start((size_t)1 << 41), EINVAL); }

/* A block of the kind, sampled. Each draw is fair, so some are tried. */
static void *sampled_alloc(size_t size, const void *site) {
    for (unsigned i = 0; i < 10000; i++) {
        void *p = hak_alloc_at(size, site);
        if (hak_profile_site_of(p) != NULL) return p;
        hak_free(p);
    }
    return NULL;
}

HAK_TEST(Profile, AnotherRateKeepsWhatWasSampled) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    void *every = hak_alloc_at(100, SITE(40));
    HAK_EXPECT_EQ(hak_profile_start(4096), 0);
    void *some = sampled_alloc(100, SITE(41));
    HAK_ASSERT_TRUE(some != NULL);
    HAK_EXPECT_EQ(sum_of(SITE(40)).live_samples, 1);
    HAK_EXPECT_EQ((uint64_t)(sum_of(SITE(40)).live + 0.5), 1);
    /* 1 / (1 - exp(-112 / 4096)) is 37, and 1 / (1 - exp(-100 / 4096)) is 41: whichever class there is. */
    HAK_EXPECT(sum_of(SITE(41)).live > 32 && sum_of(SITE(41)).live < 42);
    HAK_EXPECT_EQ(hak_profile_start(1 << 20), 0);
    HAK_EXPECT_EQ((uint64_t)(sum_of(SITE(40)).live + 0.5), 1);
    HAK_EXPECT(sum_of(SITE(41)).live > 32 && sum_of(SITE(41)).live < 42);
    hak_free(every);
    hak_free(some);
    HAK_EXPECT_EQ(sum_of(SITE(40)).live_samples, 0);
    HAK_EXPECT_EQ(sum_of(SITE(41)).live_samples, 0);
    hak_profile_stop();
}

/* Else it would stand for as many blocks as one of the new rate. */
HAK_TEST(Profile, SampleThatWasDrawnBeforeASwitchCountsNoMore) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    const struct hak_profile_table *table = hak_profile_table();
    const unsigned class_index = size_class_tiny(100);
    struct hak_due due = {.epoch = hak_sampling_epoch, .stack = {.site = (uintptr_t)SITE(50)}};
    bool zeroed;
    void *p = hak_profile_alloc(class_index, &due, &zeroed);
    HAK_ASSERT_TRUE(p != NULL);
    HAK_ASSERT_TRUE(hak_profile_start(1 << 20) == 0);
    const uint64_t dropped = table->dropped;
    HAK_EXPECT_PTR_EQ(hak_profile_alloc(class_index, &due, &zeroed), NULL);
    HAK_EXPECT_EQ(sum_of(SITE(50)).samples, 1);
    HAK_EXPECT_EQ(table->dropped, dropped); /* nothing is lost by it */
    due.epoch = hak_sampling_epoch;
    void *other = hak_profile_alloc(class_index, &due, &zeroed);
    HAK_ASSERT_TRUE(other != NULL);
    HAK_EXPECT_EQ(sum_of(SITE(50)).samples, 2);
    HAK_EXPECT_EQ(hak_profile_forget(p, NULL), (int)class_index);
    HAK_EXPECT_EQ(hak_profile_forget(other, NULL), (int)class_index);
    hak_profile_stop();
}

HAK_TEST(Profile, IsWholeWhereItWasNeverSwitched) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    const struct hak_profile_table *table = hak_profile_table();
    const uint64_t switches = table->switches;
    HAK_EXPECT_EQ(table->is_whole, 0); /* the program did it, while it ran */
    HAK_EXPECT_EQ(hak_profile_start(1), 0);
    HAK_EXPECT_EQ(table->switches, switches);
    HAK_EXPECT_EQ(hak_profile_start(2), 0);
    HAK_EXPECT_EQ(table->switches, switches + 1);
    HAK_EXPECT_EQ(table->is_on, 1);
    hak_profile_stop();
    hak_profile_stop();
    HAK_EXPECT_EQ(table->switches, switches + 2);
    HAK_EXPECT_EQ(table->is_on, 0);
}

/* Blocks of 8 MiB, each written to: their bytes, and what became resident. They are linked by their first word. */
static void expect_a_third_more(size_t size) {
    void **last = NULL;
    size_t bytes = 0;
    (void)hak_trim();
    const size_t before = system_resident_bytes();
    while (bytes < 8 * MIB) {
        void **block = hak_alloc(size);
        HAK_ASSERT_TRUE(block != NULL);
        memset(block, 1, hak_usable_size(block));
        *block = last;
        last = block;
        bytes += hak_usable_size(block);
    }
    const size_t now = system_resident_bytes(), resident = now > before ? now - before : 0;
    printf("blocks of %zu bytes, each sampled: %.2f times their bytes\n", size, (double)resident / (double)bytes);
    if (resident > bytes / 3 * 4 + MIB / 2)
        harness_fail(__FILE__, __LINE__, "blocks of %zu bytes: %zu bytes, and %zu are resident", size, bytes, resident);
    for (void **block = last, **next; block != NULL; block = next) {
        next = *block;
        hak_free(block);
    }
}

HAK_TEST_ISOLATED(ProfileMemory, OfEveryBlockIsAThirdMoreAtMost, "HAKMEM_PURGE_DELAY_MS=0") {
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("the sanitizer's memory is resident too");
    if (HAK_GUARD_EXACT) HAK_SKIP("the shadow is resident too");
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    static const size_t sizes[] = {16, 48, 64, 200, 1000, 10000, 100000};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) expect_a_third_more(sizes[i]);
}

HAK_TEST_ISOLATED(ProfileOff, ThereIsNothingToRead, "") {
    hak_free(hak_alloc(100000));
    HAK_EXPECT_EQ(hak_profile_read(sum_add, &(struct sum){0}), 0);
    HAK_EXPECT_EQ(hak_profile_write("/dev/null"), ENODATA);
}
