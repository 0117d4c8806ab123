/* SPDX-License-Identifier: MIT */
/* Builds with guard: for which addresses huge pages are asked for the shadow's entries, which are read wherever blocks are. By the
 * number of calls. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "hakmem/base/options.h"
#include "hakmem/flags/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/region/place.h"
#include "hakmem/region/region.h"
#include "hakmem/shadow/shadow.h"
#include "tests/harness/harness.h"

#define BELOW ((uintptr_t)4 << 30) /* asked for once and for all: as in shadow.c */
#define SIZE ((size_t)3 << 20)

static pthread_barrier_t end_of_thread;

static void *wait_for_the_end(void *unused) {
    pthread_barrier_wait(&end_of_thread);
    return unused;
}

static unsigned calls_for(uintptr_t start, size_t size) {
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_HUGE_PAGES);
    hak_shadow_expect_reads((const void *)start, size);
    const unsigned calls = os_fake_calls();
    os_fake_reset();
    return calls;
}

HAK_TEST_ISOLATED(ShadowReads, WhatLiesBelowThePlaceOfBlocksIsAskedForOnce, "") {
    if (!HAK_GUARD_EXACT) HAK_SKIP("there is no shadow");
    hak_free(hak_alloc(1));
    const uintptr_t end = hak_place_blocks_end();
    if (end == 0 || hak_shadow.limit == 0) HAK_SKIP("blocks have no place that is known before");
    /* A program of one thread may have forbidden itself the call. */
    HAK_EXPECT_EQ(calls_for(end + HAK_REGION_BYTES, SIZE), 0);
    pthread_t thread;
    HAK_ASSERT_TRUE(pthread_barrier_init(&end_of_thread, NULL, 2) == 0);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, wait_for_the_end, NULL) == 0);
    HAK_EXPECT_EQ(calls_for(end - BELOW, SIZE), 0);
    HAK_EXPECT_EQ(calls_for(end - BELOW - 16, SIZE), 1);
    HAK_EXPECT_EQ(calls_for(end - SIZE, SIZE), 0);
    HAK_EXPECT_EQ(calls_for(end - SIZE, SIZE + 1), 1);
    HAK_EXPECT_EQ(calls_for(end, SIZE), 1);
    HAK_EXPECT_EQ(calls_for(end + HAK_REGION_BYTES, SIZE), 1);
    pthread_barrier_wait(&end_of_thread);
    HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
}

static unsigned calls_below(uintptr_t end) {
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_HUGE_PAGES);
    hak_shadow_expect_reads_below(end);
    const unsigned calls = os_fake_calls();
    os_fake_reset();
    return calls;
}

/* Where so little lies below that the rest of it is no address of a block's, it is not asked for. */
HAK_TEST_ISOLATED(ShadowReads, NothingIsAskedForBelowTheFirstRegion, "") {
    if (!HAK_GUARD_EXACT) HAK_SKIP("there is no shadow");
    hak_free(hak_alloc(1));
    if (hak_shadow.limit == 0) HAK_SKIP("the shadow is not flat");
    HAK_EXPECT_EQ(calls_below(BELOW + HAK_REGION_BYTES), 0);
    HAK_EXPECT_EQ(calls_below(BELOW), 0);
    HAK_EXPECT_EQ(calls_below(BELOW + HAK_REGION_BYTES + 16), 1);
    HAK_EXPECT_EQ(calls_below(0), 1); /* below the shadow itself */
}

static unsigned calls_for_region(struct region *region) {
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_NO_HUGE_PAGES);
    HAK_EXPECT_EQ(hak_shadow_add_region(&region->shadow, false), 0);
    const unsigned calls = os_fake_calls();
    os_fake_reset();
    return calls;
}

/* Entries of a region are to be no huge page, which the kernel is told of either half of one; but not in a process of one thread. */
HAK_TEST_ISOLATED(ShadowReads, EntriesOfARegionAreNoHugePage, "") {
    if (!HAK_GUARD_EXACT) HAK_SKIP("there is no shadow");
    struct region *const region = region_of(hak_alloc(16));
    if (hak_shadow.limit == 0) HAK_SKIP("the shadow is not flat");
    pthread_t thread;
    const bool had_threads = os_has_threads(); /* ThreadSanitizer's */
    HAK_EXPECT_EQ(calls_for_region(region), had_threads ? 2 : 0);
    HAK_ASSERT_TRUE(pthread_barrier_init(&end_of_thread, NULL, 2) == 0);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, wait_for_the_end, NULL) == 0);
    HAK_EXPECT_EQ(calls_for_region(region), 2);
    pthread_barrier_wait(&end_of_thread);
    HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
}

/* Where there is no flat form each region has a mapping of its own, without its header's entries, or none where that is refused. */
HAK_TEST_ISOLATED(ShadowReads, EntriesOfTheLimitedFormAreTheRegionsOwn, "") {
    if (!HAK_GUARD_EXACT) HAK_SKIP("there is no shadow");
    hak_free(hak_alloc(1));
    uint8_t *const flat = hak_shadow.classes;
    struct shadow_region region = {NULL};
    hak_shadow.classes = NULL; /* nothing is allocated meanwhile */
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAP);
    os_fake_fail_at(1);
    const int refused = hak_shadow_add_region(&region, false);
    const uint8_t *const none = region.classes;
    os_fake_reset();
    const int error = hak_shadow_add_region(&region, false);
    hak_shadow.classes = flat;
    HAK_EXPECT_EQ(refused, ENOMEM);
    HAK_EXPECT_PTR_EQ(none, NULL);
    HAK_EXPECT_EQ(error, 0);
    HAK_ASSERT_TRUE(region.classes != NULL);
    memset(region.classes + (SHADOW_HEADER_BYTES >> SHADOW_SHIFT), 1,
           (HAK_REGION_BYTES - SHADOW_HEADER_BYTES) >> SHADOW_SHIFT);
}
