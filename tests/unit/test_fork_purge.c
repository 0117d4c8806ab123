/* SPDX-License-Identifier: MIT */
/* Whoever purges makes way for a fork as long as there is one, in the process, in its copy and in its child: between its pieces it
 * sleeps, which the linker sends through this file. */
#include <sys/mman.h>

#include "hakmem/base/atomic.h"
#include "hakmem/hakmem.h"
#include "hakmem/process/fork.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/region_list.h"
#include "tests/harness/harness.h"

#define ALONE "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_PURGE_THREAD=0"

static unsigned sleeps;

void __real_hak_os_sleep_ms(uint64_t duration_ms);
void __wrap_hak_os_sleep_ms(uint64_t duration_ms);

void __wrap_hak_os_sleep_ms(uint64_t duration_ms) {
    sleeps++;
    __real_hak_os_sleep_ms(duration_ms);
}

static unsigned sleeps_of_a_purge(void) {
    sleeps = 0;
    (void)hak_purge_all();
    return sleeps;
}

static uint32_t *seen; /* atomic; shared with the copy: how often that slept */

static void purge_in_the_copy(void *argument) {
    (void)argument;
    hak_store_relaxed(seen, sleeps_of_a_purge());
}

static void fail(void *argument, int error) {
    (void)argument;
    HAK_EXPECT_EQ(error, 0);
}

HAK_TEST_ISOLATED(ForkPurge, MakesWayAsLongAsThereIsAFork, ALONE) {
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HAK_ASSERT_TRUE(seen != MAP_FAILED);
    hak_free(hak_alloc((size_t)3 << 20));
    HAK_EXPECT_EQ(sleeps_of_a_purge(), 0);
    hak_fork_copy(purge_in_the_copy, fail, NULL);
    HAK_EXPECT_GE(hak_load_relaxed(seen), 1);
    HAK_EXPECT_EQ(sleeps_of_a_purge(), 0);
    for (unsigned i = 0; i < 3; i++) {
        HAK_EXPECT_EXIT_OK(HAK_EXPECT_EQ(sleeps_of_a_purge(), 0));
        HAK_EXPECT_EQ(sleeps_of_a_purge(), 0);
    }
}

/* A thread of the parent has taken the look, and asks for nothing in the child. */
HAK_TEST_ISOLATED(ForkPurge, ChildLooksForRegionsThatWaitForHugePages, ALONE) {
    hak_free(hak_alloc(16));
    while (hak_decay_take()) {
    }
    HAK_EXPECT_EXIT_OK(HAK_EXPECT_EQ(decay_due_ms(), 0));
    hak_regions.huge_pages_from_ms = 5;
    hak_store_relaxed(&hak_regions.huge_pages_wait, true);
    HAK_EXPECT_EXIT_OK(HAK_EXPECT_EQ(decay_due_ms(), 5));
}
