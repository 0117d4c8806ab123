/* SPDX-License-Identifier: MIT */
/* Builds with guard: of which of the shadow's entries the kernel is told that they are to be huge pages, or none, and which are opened
 * for a region. What is asked of the kernel by number goes through this file. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hakmem/base/config.h"
#include "hakmem/flags/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/region/place.h"
#include "hakmem/region/region.h"
#include "hakmem/shadow/shadow.h"
#include "tests/harness/harness.h"
#include "tests/unit/wrapped_syscall.h"

#define GIB ((uintptr_t)1 << 30)
#define NOTED_MOST 4u

struct calls {
    unsigned count;
    uintptr_t start[NOTED_MOST], bytes[NOTED_MOST];
};

static bool is_noting; /* else the kernel answers all */
static struct calls huge, none, opened;

static long note(struct calls *calls, const long *argument) {
    if (calls->count < NOTED_MOST) {
        calls->start[calls->count] = (uintptr_t)argument[0];
        calls->bytes[calls->count] = (uintptr_t)argument[1];
    }
    calls->count++;
    return 0;
}

static long answered_syscall(long number, const long *argument) {
    const int how = (int)argument[2];
    if (is_noting && number == SYS_madvise && how == MADV_HUGEPAGE) return note(&huge, argument);
    if (is_noting && number == SYS_madvise && how == MADV_NOHUGEPAGE) return note(&none, argument);
    if (is_noting && number == SYS_mprotect && how == (PROT_READ | PROT_WRITE)) (void)note(&opened, argument);
    return real_syscall(number, argument);
}

static void expect_call(const struct calls *calls, unsigned number, uintptr_t start, uintptr_t bytes) {
    HAK_EXPECT_EQ(calls->start[number], start);
    HAK_EXPECT_EQ(calls->bytes[number], bytes);
}

static void begin_noting(void) {
    huge.count = none.count = opened.count = 0;
    is_noting = true;
}

/* Where the entries of a region lie: one huge page after the other, the first of them behind the table's begin. */
static uintptr_t entries_of(uintptr_t p) {
    const uintptr_t first = ((uintptr_t)hak_shadow.classes / OS_HUGE_PAGE_BYTES + 1) * OS_HUGE_PAGE_BYTES;
    return first + p / HAK_REGION_BYTES * OS_HUGE_PAGE_BYTES;
}

static pthread_barrier_t end_of_thread;
static pthread_t thread;

static void *wait_for_the_end(void *unused) {
    pthread_barrier_wait(&end_of_thread);
    return unused;
}

/* A program of one thread may have forbidden itself these calls. */
static bool begin_beside_a_thread(void) {
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    return false; /* these see each call by its name */
#endif
    hak_free(hak_alloc(1));
    if (!HAK_GUARD_EXACT || hak_shadow.limit == 0) return false;
    HAK_EXPECT(pthread_barrier_init(&end_of_thread, NULL, 2) == 0);
    HAK_EXPECT(pthread_create(&thread, NULL, wait_for_the_end, NULL) == 0);
    return true;
}

static void end_thread(void) {
    pthread_barrier_wait(&end_of_thread);
    HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
}

static void expect_reads(uintptr_t start, size_t size, unsigned regions) {
    begin_noting();
    hak_shadow_expect_reads((const void *)start, size);
    is_noting = false;
    HAK_EXPECT_EQ(huge.count, 1);
    expect_call(&huge, 0, entries_of(start), regions * OS_HUGE_PAGE_BYTES);
}

/* The entries of each region that the range has a byte of, and no others. */
HAK_TEST_ISOLATED(ShadowRanges, ReadsAreOfTheRegionsOfTheRange, "HAKMEM_THP=never") {
    if (!begin_beside_a_thread()) HAK_SKIP("there is no flat shadow, or its calls are not seen");
    const uintptr_t region = 40 * GIB;
    expect_reads(region, 16, 1);
    expect_reads(region, HAK_REGION_BYTES, 1);
    expect_reads(region, HAK_REGION_BYTES + 1, 2);
    expect_reads(region + HAK_REGION_BYTES - 16, 16, 1);
    expect_reads(region + HAK_REGION_BYTES - 16, 32, 2);
    expect_reads(region + 5 * HAK_REGION_BYTES + 4096, 3 * HAK_REGION_BYTES, 4);
    end_thread();
}

HAK_TEST_ISOLATED(ShadowRanges, WhatIsReadFromTheStartIsFourGiB, "HAKMEM_THP=never") {
    if (!begin_beside_a_thread()) HAK_SKIP("there is no flat shadow, or its calls are not seen");
    const uintptr_t end = 40 * GIB;
    begin_noting();
    hak_shadow_expect_reads_below(end);
    is_noting = false;
    HAK_EXPECT_EQ(huge.count, 1);
    expect_call(&huge, 0, entries_of(end - 4 * GIB), 4 * GIB / HAK_REGION_BYTES * OS_HUGE_PAGE_BYTES);
    /* Below the shadow itself, where the place of blocks is not known. */
    begin_noting();
    hak_shadow_expect_reads_below(0);
    is_noting = false;
    HAK_EXPECT_EQ(huge.count, 1);
    const uintptr_t shadow = (uintptr_t)hak_shadow.classes;
    HAK_EXPECT_GE(huge.start[0], entries_of(shadow - 4 * GIB - 2 * HAK_REGION_BYTES));
    HAK_EXPECT_LE(huge.start[0], entries_of(shadow - 4 * GIB));
    end_thread();
}

/* No entry of a region is to be a huge page, which is said of either half; and all are opened but for a page that describes its header
 * alone, where pages are as small as that. */
HAK_TEST_ISOLATED(ShadowRanges, EntriesOfARegionAreOpenedButForItsHeaders, "HAKMEM_THP=never") {
    if (!begin_beside_a_thread()) HAK_SKIP("there is no flat shadow, or its calls are not seen");
    struct region *const region = region_of(hak_alloc(16));
    const uintptr_t entries = entries_of((uintptr_t)region), half = OS_HUGE_PAGE_BYTES / 2;
    const size_t page = hak_os_page_size(), unused = page <= 32768 ? page : 0;
    for (unsigned is_open = 0; is_open < 2; is_open++) {
        begin_noting();
        HAK_EXPECT_EQ(hak_shadow_add_region(&region->shadow, is_open != 0), 0);
        is_noting = false;
        HAK_EXPECT_EQ(none.count, 2);
        expect_call(&none, 0, entries, half);
        expect_call(&none, 1, entries + half, half);
        HAK_EXPECT_EQ(opened.count, 1);
        const size_t left_out = is_open != 0 ? 0 : unused;
        expect_call(&opened, 0, entries + left_out, OS_HUGE_PAGE_BYTES - left_out);
    }
    end_thread();
}
