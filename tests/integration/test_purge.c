/* SPDX-License-Identifier: MIT */
/* Memory goes back to the system: after the decay time, at once, never, or when it is asked for. Every test
 * has a process of its own, since the delay is read once. */
#include <stdint.h>

#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"

#define MIB ((size_t)1 << 20)

/* What the tests allocate: about 16 MiB a pool, all of it written to. */
static const struct load {
    size_t size;
    unsigned count;
} loads[] = {{512, 32768}, {16384, 1024}, {500000, 34}, {4 << 20, 4}};
#define LOADS (sizeof loads / sizeof *loads)
#define LOAD_BYTES (60 * MIB)  /* all loads together, at least */
#define SLAB_BYTES (45 * MIB)  /* ... without the huge blocks, which may be unmapped in place of purged */
#define SLACK_BYTES (10 * MIB) /* what may stay: metadata, magazines, the test's own memory */
#define DEADLINE_SECONDS 300

static void *blocks[LOADS][32768];

static void allocate_loads(void) {
    for (unsigned k = 0; k < LOADS; k++) {
        for (unsigned i = 0; i < loads[k].count; i++) {
            blocks[k][i] = hak_alloc(loads[k].size);
            HAK_ASSERT_TRUE(blocks[k][i] != NULL);
            pattern_mark_pages(blocks[k][i], loads[k].size, i);
        }
    }
}

/* Frees all but every keep_one_in-th block; 0 keeps none. */
static void free_loads(unsigned keep_one_in) {
    for (unsigned k = 0; k < LOADS; k++) {
        for (unsigned i = 0; i < loads[k].count; i++) {
            if (keep_one_in != 0 && i % keep_one_in == 0) continue;
            hak_free(blocks[k][i]);
        }
    }
}

/* Resident bytes before anything is allocated, the table of pointers included. */
static size_t start(void) {
    for (size_t at = 0; at < sizeof blocks; at += 4096) *((volatile char *)blocks + at) = 0;
    return system_resident_bytes();
}

static bool resident_is_low(void *limit) { return system_resident_bytes() < *(size_t *)limit; }

/* The program does nothing but sleep and look. */
static void expect_fall_while_sleeping(void) {
    size_t limit = start() + SLACK_BYTES;
    allocate_loads();
    HAK_EXPECT_GE(system_resident_bytes(), limit - SLACK_BYTES + LOAD_BYTES);
    free_loads(0);
    hak_thread_flush();
    HAK_EXPECT(system_wait_until(resident_is_low, &limit, DEADLINE_SECONDS));
    HAK_EXPECT_GE(census_all().purged_bytes, SLAB_BYTES);
}

HAK_TEST_ISOLATED(Purge, DecaysAlsoWhenTheProgramOnlySleeps, "HAKMEM_PURGE_THREAD=1") { expect_fall_while_sleeping(); }

HAK_TEST_ISOLATED(Purge, DecayTimeIsAnOption, "HAKMEM_PURGE_DELAY_MS=50 HAKMEM_PURGE_THREAD=1") {
    expect_fall_while_sleeping();
}

/* One block in a hundred lives: no slab is free as a whole, and only pages can go. */
HAK_TEST_ISOLATED(Purge, PagesOfPartialSlabsDecayAlsoWhenTheProgramOnlySleeps, "HAKMEM_PURGE_THREAD=1") {
    const unsigned count = loads[0].count;
    start();
    for (unsigned i = 0; i < count; i++) {
        blocks[0][i] = hak_alloc(loads[0].size);
        HAK_ASSERT_TRUE(blocks[0][i] != NULL);
        pattern_mark_pages(blocks[0][i], loads[0].size, i);
    }
    size_t limit = system_resident_bytes() - 8 * MIB;
    for (unsigned i = 0; i < count; i++) {
        if (i % 100 != 0) hak_free(blocks[0][i]);
    }
    HAK_EXPECT(system_wait_until(resident_is_low, &limit, DEADLINE_SECONDS));
    for (unsigned i = 0; i < count; i += 100) HAK_EXPECT(pattern_pages_hold(blocks[0][i], loads[0].size, i));
}

/* The thread, which never has anything to do, keeps the bound of a process without it away. */
HAK_TEST_ISOLATED(Purge, FreedMemoryStaysForTheDecayTime, "HAKMEM_PURGE_DELAY_MS=600000 HAKMEM_PURGE_THREAD=1") {
    start();
    allocate_loads();
    free_loads(0);
    hak_thread_flush();
    HAK_EXPECT_GE(census_all().decaying_bytes, LOAD_BYTES - SLACK_BYTES);
    HAK_EXPECT_EQ(census_all().purged_bytes, 0);
}

#define DRIFT_BLOCKS 4096
#define DRIFT_FROM ((size_t)16384)
#define DRIFT_TO ((size_t)20480)

static void *drift_from[DRIFT_BLOCKS], *drift_to[DRIFT_BLOCKS];

static bool so_much_is_purged(void *bytes) { return census_all().purged_bytes >= *(size_t *)bytes; }

/* Blocks of one size make way for those of another, but for one in eight, which keeps its slab: the free pages of these slabs are
 * of no use, and are not to stand beside the new blocks for ten minutes. What waits is an eighth of what is in use at most, and
 * what the program frees while the thread wakes up. */
HAK_TEST_ISOLATED(Purge, WhatWaitsWhileSizesDriftIsBoundedByWhatIsInUse,
                  "HAKMEM_PURGE_DELAY_MS=600000 HAKMEM_PURGE_THREAD=1") {
    const size_t whole = DRIFT_BLOCKS * DRIFT_FROM;
    for (unsigned i = 0; i < DRIFT_BLOCKS; i++) {
        drift_from[i] = hak_alloc(DRIFT_FROM);
        pattern_mark_pages(drift_from[i], DRIFT_FROM, i);
    }
    size_t freed = 0;
    for (unsigned i = 0; i < DRIFT_BLOCKS; i++) {
        if (i % 8 != 0) {
            hak_free(drift_from[i]);
            freed += DRIFT_FROM;
        }
        if (freed >= DRIFT_TO) {
            drift_to[i] = hak_alloc(DRIFT_TO);
            pattern_mark_pages(drift_to[i], DRIFT_TO, i);
            freed -= DRIFT_TO;
        }
    }
    size_t expected = whole / 2; /* of seven eighths; a quarter of a share may wait, and the last frees */
    HAK_EXPECT(system_wait_until(so_much_is_purged, &expected, DEADLINE_SECONDS));
    for (unsigned i = 0; i < DRIFT_BLOCKS; i++) {
        if (i % 8 == 0) HAK_EXPECT(pattern_pages_hold(drift_from[i], DRIFT_FROM, i));
        if (drift_to[i] != NULL) HAK_EXPECT(pattern_pages_hold(drift_to[i], DRIFT_TO, i));
    }
}

/* What waits then: 16 MiB at most, and what one call of a slow path adds. */
HAK_TEST_ISOLATED(Purge, WithoutAThreadWhatWaitsIsBounded, "HAKMEM_PURGE_DELAY_MS=600000") {
    size_t before = start();
    allocate_loads();
    free_loads(0);
    hak_thread_flush();
    HAK_EXPECT_LT(census_all().decaying_bytes, 17 * MIB);
    HAK_EXPECT_GE(census_all().decaying_bytes, 4 * MIB);
    HAK_EXPECT_LT(system_resident_bytes(), before + 17 * MIB + SLACK_BYTES);
}

/* As much may wait as is in use. */
HAK_TEST_ISOLATED(Purge, WithoutAThreadAsMuchMayWaitAsIsInUse, "HAKMEM_PURGE_DELAY_MS=600000") {
    void *live = hak_alloc(100 * MIB);
    start();
    allocate_loads();
    free_loads(0);
    hak_thread_flush();
    HAK_EXPECT_GE(census_all().decaying_bytes, LOAD_BYTES - SLACK_BYTES);
    hak_free(live);
}

/* Who takes back at once what was given back is given less back: the rounds settle. */
HAK_TEST_ISOLATED(Purge, WhatIsTakenBackAtOnceStays, "HAKMEM_PURGE_DELAY_MS=600000") {
    uint64_t purged = 0, last = 0;
    for (unsigned round = 0; round < 6; round++) {
        allocate_loads();
        free_loads(0);
        last = census_all().purged_bytes - purged;
        purged += last;
    }
    HAK_EXPECT_GE(purged, 20 * MIB);
    HAK_EXPECT_LT(last, 4 * MIB);
}

HAK_TEST_ISOLATED(Purge, DelayZeroGivesMemoryBackAtOnce, "HAKMEM_PURGE_DELAY_MS=0") {
    size_t before = start();
    allocate_loads();
    free_loads(0);
    hak_thread_flush();
    HAK_EXPECT_LT(system_resident_bytes(), before + SLACK_BYTES);
    HAK_EXPECT_LT(census_all().decaying_bytes, MIB);
}

HAK_TEST_ISOLATED(Purge, DelayMinusOneKeepsMemoryUntilTrim, "HAKMEM_PURGE_DELAY_MS=-1") {
    size_t before = start();
    allocate_loads();
    free_loads(0);
    hak_thread_flush();
    HAK_EXPECT_GE(system_resident_bytes(), before + LOAD_BYTES - SLACK_BYTES);
    HAK_EXPECT_EQ(census_all().purged_bytes, 0);
    HAK_EXPECT_GE(hak_trim(), LOAD_BYTES - SLACK_BYTES);
    HAK_EXPECT_LT(system_resident_bytes(), before + SLACK_BYTES);
}

HAK_TEST_ISOLATED(Purge, TrimGivesMemoryBackAtOnce, "") {
    size_t before = start();
    allocate_loads();
    free_loads(0);
    hak_trim();
    HAK_EXPECT_LT(system_resident_bytes(), before + SLACK_BYTES);
    HAK_EXPECT_EQ(census_all().decaying_bytes, 0);
    HAK_EXPECT_EQ(census_all().magazine_bytes, 0);
    HAK_EXPECT_LT(hak_trim(), MIB);
}

HAK_TEST_ISOLATED(Purge, TrimmedMemoryCanBeUsedAgain, "") {
    for (unsigned round = 0; round < 3; round++) {
        allocate_loads();
        for (unsigned k = 0; k < LOADS; k++) {
            for (unsigned i = 0; i < loads[k].count; i++)
                HAK_ASSERT_TRUE(pattern_pages_hold(blocks[k][i], loads[k].size, i));
        }
        free_loads(0);
        hak_trim();
    }
    CENSUS_EXPECT_CONSISTENT();
    HAK_EXPECT_EQ(census_live_blocks(), 0);
}

HAK_TEST_ISOLATED(Purge, LiveBlocksKeepTheirContentThroughTrim, "") {
    allocate_loads();
    free_loads(3);
    hak_trim();
    for (unsigned k = 0; k < LOADS; k++) {
        for (unsigned i = 0; i < loads[k].count; i += 3) {
            HAK_ASSERT_TRUE(pattern_pages_hold(blocks[k][i], loads[k].size, i));
            hak_free(blocks[k][i]);
        }
    }
}
