/* SPDX-License-Identifier: MIT */
/* The fake system: it fails exactly the calls that it is told to, and does nothing in them. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "tests/harness/harness.h"

#define MIB ((size_t)1 << 20)

static void *no_work(void *argument) { return argument; }

/* One call of each primitive that can fail, each on its own mapping; bit i of the result: call i failed. */
static unsigned call_each(void) {
    void *mapped = NULL, *reserved = NULL, *remapped = NULL, *wiped = NULL;
    unsigned failed = 0;
    if (hak_os_map_wiped(MIB, &wiped) != 0) failed |= OS_FAKE_MAP_WIPED;
    /* It goes without a word to the fake: what counts is what takes its place. */
    if (wiped != NULL && munmap(wiped, MIB) == 0 && hak_os_map_left(wiped, MIB) != 0) failed |= OS_FAKE_MAP_LEFT;
    if (hak_os_map(MIB, MIB, &mapped) != 0) failed |= OS_FAKE_MAP;
    if (hak_os_reserve(MIB, &reserved) != 0) failed |= OS_FAKE_RESERVE;
    if (reserved != NULL && hak_os_make_writable(reserved, MIB) != 0) failed |= OS_FAKE_MAKE_WRITABLE;
    unsigned char resident[MIB / 4096];
    if (mapped != NULL && hak_os_make_inaccessible(mapped, 0) != 0) failed |= OS_FAKE_MAKE_INACCESSIBLE;
    if (mapped != NULL && hak_os_resident(mapped, MIB, resident) != 0) failed |= OS_FAKE_RESIDENT;
    if (hak_os_random(resident, 16) != 0) failed |= OS_FAKE_RANDOM;
    if (mapped != NULL && hak_os_populate(mapped, 4096) != 0) failed |= OS_FAKE_POPULATE;
    if (mapped != NULL && hak_os_purge(mapped, MIB) != 0) failed |= OS_FAKE_PURGE;
    if (mapped != NULL && hak_os_no_huge_pages(mapped, MIB) != 0) failed |= OS_FAKE_NO_HUGE_PAGES;
    if (mapped != NULL && hak_os_huge_pages(mapped, MIB) != 0) failed |= OS_FAKE_HUGE_PAGES;
    if (mapped != NULL && hak_os_remap(mapped, MIB, 2 * MIB, MIB, &remapped) != 0) failed |= OS_FAKE_REMAP;
    void *aligned = NULL, *first = NULL;
    if (hak_os_reserve_aligned(MIB, MIB, &aligned) != 0) failed |= OS_FAKE_RESERVE_ALIGNED;
    if (aligned != NULL && hak_os_commit(aligned, MIB) != 0) failed |= OS_FAKE_COMMIT;
    if (hak_os_reserve_first(MIB, 2 * MIB, &first) != 0) failed |= OS_FAKE_RESERVE_FIRST;
    /* Nobody else maps meanwhile. */
    const bool hole = first != NULL && hak_os_unreserve(first, MIB) == 0;
    if (hole && hak_os_map_at(first, MIB) != 0) failed |= OS_FAKE_MAP_AT;
    uintptr_t thread = 0;
    const bool started = hak_os_start_thread(no_work, NULL, &thread) == 0;
    failed |= started ? 0u : OS_FAKE_START_THREAD;
    if (started) hak_os_join_thread(thread);
    if (reserved != NULL && hak_os_unmap(reserved, MIB) != 0) failed |= OS_FAKE_UNMAP;
    uint64_t calls = os_fake_calls();
    /* Not counted, whatever fails: the clean-up of this test. */
    os_fake_fail_only(0);
    if ((failed & OS_FAKE_UNMAP) != 0) hak_os_unmap(reserved, MIB);
    if (remapped != NULL) hak_os_unmap(remapped, 2 * MIB);
    if (aligned != NULL) hak_os_unmap(aligned, MIB);
    if (hole) hak_os_unmap(first, MIB);
    if (mapped != NULL && remapped == NULL) hak_os_unmap(mapped, MIB);
    if (wiped != NULL && (failed & OS_FAKE_MAP_LEFT) == 0) hak_os_unmap(wiped, MIB);
    HAK_EXPECT_EQ(os_fake_calls(), calls);
    return failed;
}

static unsigned bits(unsigned word) { return (unsigned)__builtin_popcount(word); }

HAK_TEST(OsFake, WithoutAPlanNothingFails) {
    os_fake_reset();
    HAK_EXPECT_EQ(call_each(), 0);
    HAK_EXPECT_EQ(os_fake_calls(), 19);
    os_fake_reset();
    HAK_EXPECT_EQ(os_fake_calls(), 0);
}

HAK_TEST(OsFake, EachCallFailsInItsTurnAndOnlyThat) {
    unsigned seen = 0;
    for (uint64_t n = 1; n <= 19; n++) {
        os_fake_reset();
        os_fake_fail_at(n);
        unsigned failed = call_each();
        HAK_EXPECT_EQ(bits(failed), 1);
        seen |= failed;
    }
    HAK_EXPECT_EQ(seen, OS_FAKE_ALL);
    os_fake_reset();
    os_fake_fail_at(20);
    HAK_EXPECT_EQ(call_each(), 0);
    os_fake_reset();
}

HAK_TEST(OsFake, CountsFromNow) {
    void *first = NULL, *second = NULL;
    os_fake_reset();
    HAK_EXPECT_EQ(hak_os_map(MIB, MIB, &first), 0);
    os_fake_fail_at(2);
    HAK_EXPECT_EQ(hak_os_map(MIB, MIB, &second), 0);
    HAK_EXPECT_EQ(hak_os_unmap(first, MIB), ENOMEM);
    HAK_EXPECT_EQ(hak_os_unmap(first, MIB), 0);
    HAK_EXPECT_EQ(hak_os_unmap(second, MIB), 0);
    HAK_EXPECT_EQ(os_fake_calls(), 5);
    os_fake_reset();
}

HAK_TEST(OsFake, FailFromFailsAllTheRest) {
    void *mapped = NULL;
    os_fake_reset();
    os_fake_fail_from(2);
    HAK_EXPECT_EQ(hak_os_map(MIB, MIB, &mapped), 0);
    for (int i = 0; i < 5; i++) HAK_EXPECT_EQ(hak_os_unmap(mapped, MIB), ENOMEM);
    os_fake_fail_from(0);
    HAK_EXPECT_EQ(hak_os_unmap(mapped, MIB), 0);
    os_fake_reset();
}

HAK_TEST(OsFake, OnlyTheKindsAskedForCountAndFail) {
    const unsigned kinds[] = {OS_FAKE_MAP,   OS_FAKE_RESERVE, OS_FAKE_MAKE_WRITABLE, OS_FAKE_UNMAP,
                              OS_FAKE_PURGE, OS_FAKE_REMAP,   OS_FAKE_START_THREAD,  OS_FAKE_NO_HUGE_PAGES};
    for (unsigned i = 0; i < 8; i++) {
        os_fake_reset();
        os_fake_fail_only(kinds[i]);
        os_fake_fail_from(1);
        HAK_EXPECT_EQ(call_each(), kinds[i]);
        HAK_EXPECT_EQ(os_fake_calls(), 1);
    }
    os_fake_reset();
}

/* hak_os_map_beside does what hak_os_map_at does, and is one call all the same. */
HAK_TEST(OsFake, EachPrimitiveIsOneCall) {
    void *mapped = NULL;
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAP_AT);
    HAK_EXPECT_EQ(hak_os_map(2 * MIB, MIB, &mapped), 0);
    HAK_EXPECT_EQ(hak_os_unreserve(mapped, MIB), 0);
    HAK_EXPECT_EQ(hak_os_map_beside(mapped, MIB), 0);
    HAK_EXPECT_EQ(os_fake_calls(), 1);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_os_unmap(mapped, 2 * MIB), 0);
}

HAK_TEST(OsFake, AFailedCallDoesNothing) {
    struct os_counters before, after;
    void *mapped = &before;
    hak_os_counters_get(&before);
    os_fake_reset();
    os_fake_fail_from(1);
    errno = EDOM;
    HAK_EXPECT_EQ(hak_os_map(MIB, MIB, &mapped), ENOMEM);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_PTR_EQ(mapped, &before);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.maps, before.maps);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
    os_fake_reset();
}

static void *count_failures(void *argument) {
    unsigned *failures = argument;
    for (unsigned i = 0; i < 1000; i++) {
        void *mapped = NULL;
        if (hak_os_map(4096, 4096, &mapped) != 0) {
            ++*failures;
        } else {
            hak_os_unmap(mapped, 4096);
        }
    }
    return NULL;
}

HAK_TEST(OsFake, OneOfSeveralThreadsGetsTheFailure) {
    pthread_t threads[3];
    unsigned failures[3] = {0, 0, 0};
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAP);
    os_fake_fail_at(1500);
    for (unsigned i = 0; i < 3; i++) {
        HAK_ASSERT_TRUE(pthread_create(&threads[i], NULL, count_failures, &failures[i]) == 0);
    }
    for (unsigned i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    HAK_EXPECT_EQ(failures[0] + failures[1] + failures[2], 1);
    HAK_EXPECT_EQ(os_fake_calls(), 3000);
    os_fake_reset();
}

static unsigned within_calls;

/* Calls of the same kind from in there pass as any others. */
static void purge_within(void) {
    static char none[1];
    within_calls++;
    hak_os_purge(none, 0);
}

HAK_TEST(OsFake, WithinRunsOnceAndInTheCallOfThatKind) {
    void *mapped;
    os_fake_reset();
    os_fake_within(OS_FAKE_PURGE, purge_within);
    HAK_EXPECT_EQ(hak_os_map(MIB, MIB, &mapped), 0);
    HAK_EXPECT_EQ(within_calls, 0);
    HAK_EXPECT_EQ(hak_os_purge(mapped, MIB), 0);
    HAK_EXPECT_EQ(within_calls, 1);
    HAK_EXPECT_EQ(hak_os_purge(mapped, MIB), 0);
    HAK_EXPECT_EQ(within_calls, 1);
    os_fake_within(OS_FAKE_PURGE, purge_within);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_os_purge(mapped, MIB), 0);
    HAK_EXPECT_EQ(within_calls, 1);
    HAK_EXPECT_EQ(hak_os_unmap(mapped, MIB), 0);
}
