/* SPDX-License-Identifier: MIT */
/* When a thread that only frees gets a record: at once where the program frees, never where the C library does, and after many
 * frees where nobody can tell. Whose frees they are is what the test says. */
#include "hakmem/flags/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/magazine_fast.h"
#include "hakmem/os/os.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define BLOCKS 300u

enum freer { THE_PROGRAM, THE_C_LIBRARY, NOBODY_KNOWS };

static enum freer freer;
static void *blocks[BLOCKS];
static unsigned begun_at; /* number of the free by which the thread began, from 1; 0: by none */
static uint64_t threads_seen;

bool __wrap_hak_os_is_c_library(const void *address);
bool __wrap_hak_os_knows_c_library(void);

bool __wrap_hak_os_is_c_library(const void *address) {
    (void)address;
    return freer != THE_PROGRAM;
}

bool __wrap_hak_os_knows_c_library(void) { return freer != NOBODY_KNOWS; }

static void free_all(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    for (unsigned i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
        if (begun_at == 0 && hak_self != NULL) begun_at = i + 1;
    }
    threads_seen = census_all().threads;
}

/* By which free of another thread it begins. What it frees is free afterwards, and counted. */
static unsigned begins_at(enum freer of, size_t size) {
    const uint64_t live = census_live_blocks(), frees = census_frees();
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(size);
        HAK_EXPECT(blocks[i] != NULL);
    }
    begun_at = 0;
    freer = of;
    threads_run(1, free_all, NULL);
    freer = THE_PROGRAM;
    HAK_EXPECT_EQ(threads_seen, begun_at != 0 ? 2 : 1);
    HAK_EXPECT_EQ(census_all().threads, 1);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    if (census_all().exact) HAK_EXPECT_EQ(census_frees(), frees + BLOCKS);
    return begun_at;
}

static void expect_begins(size_t size) {
    HAK_EXPECT_EQ(begins_at(THE_PROGRAM, size), 1);
    HAK_EXPECT_EQ(begins_at(THE_C_LIBRARY, size), 0);
    HAK_EXPECT_EQ(begins_at(NOBODY_KNOWS, size), 257);
}

HAK_TEST(FirstFrees, OfTheCLibraryMakeNoRecord) {
    expect_begins(100);
    expect_begins(20000);
}

/* Small ones lie in slabs of the profile's own, large ones where all do. */
HAK_TEST(FirstFrees, OfSampledBlocksAreTheSame) {
    if (HAK_GUARD_FULL) HAK_SKIP("it has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    expect_begins(100);
    expect_begins(600000);
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    hak_profile_stop();
}
