/* SPDX-License-Identifier: MIT */
/* The bounds of what may wait to be purged: all that they depend on is said by the test, the time too. */
#include "hakmem/process/purge_bound.h"
#include "hakmem/region/held.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/partial.h"
#include "tests/harness/harness.h"

#define MIB ((size_t)1 << 20)
#define DELAY_MS 750u /* the default, which nothing here changes */

static size_t held, unpurged, purged, waiting;

size_t __wrap_hak_held_bytes(void);
size_t __wrap_hak_partial_unpurged_bytes(void);
size_t __wrap_hak_partial_purged_bytes(void);
size_t __wrap_hak_region_dirty_bytes(void);

size_t __wrap_hak_held_bytes(void) { return held; }
size_t __wrap_hak_partial_unpurged_bytes(void) { return unpurged; }
size_t __wrap_hak_partial_purged_bytes(void) { return purged; }
size_t __wrap_hak_region_dirty_bytes(void) { return waiting; }

/* What is too much at that time, in MiB, where so much is in use and waits. */
static size_t excess(uint64_t now_ms, size_t in_use_mib, size_t waiting_mib, bool has_thread) {
    unpurged = 3 * MIB;
    purged = 5 * MIB;
    held = in_use_mib * MIB + unpurged + purged;
    waiting = waiting_mib * MIB;
    return hak_bound_excess(now_ms, waiting_mib * MIB, has_thread) / MIB;
}

HAK_TEST_ISOLATED(PurgeBound, IsAnEighthOfWhatIsInUse, "") {
    HAK_EXPECT_EQ(excess(5000, 160, 20, true), 0);
    HAK_EXPECT_EQ(excess(5001, 160, 21, true), 6); /* and a quarter of 20 more */
    HAK_EXPECT_EQ(excess(5002, 1600, 200, true), 0);
    HAK_EXPECT_EQ(excess(5003, 1600, 210, true), 60);
}

HAK_TEST_ISOLATED(PurgeBound, IsTwoMiBWhereLittleIsInUse, "") {
    HAK_EXPECT_EQ(excess(5000, 4, 2, true), 0);
    HAK_EXPECT_EQ(excess(5001, 4, 4, true), 2);
}

/* What was in use a moment ago may wait: the program may want it again. A delay or two later it is too much. */
HAK_TEST_ISOLATED(PurgeBound, CountsFromTheMostThatWasInUseLately, "") {
    HAK_EXPECT_EQ(excess(5000, 160, 0, true), 0);
    HAK_EXPECT_EQ(excess(5001, 16, 164, true), 0);
    HAK_EXPECT_EQ(excess(5000 + DELAY_MS, 16, 164, true), 0);
    HAK_EXPECT_EQ(excess(5001 + DELAY_MS, 16, 164, true), 0);
    HAK_EXPECT_EQ(excess(5002 + 2 * DELAY_MS, 16, 164, true), 162);
}

/* So much goes within a delay at most: a quarter of what is in use at first, half as much in the next one, an eighth at least;
 * and twice as much where less than half was wanted, up to all that is in use. */
HAK_TEST_ISOLATED(PurgeBound, LimitsWhatGoesWithinADelay, "") {
    const struct {
        size_t limit, given;
    } periods[] = {{40, 40}, {20, 20}, {20, 20}, {20, 9}, {40, 0}, {80, 39}, {160, 80}, {160, 160}, {80, 80}, {40, 0}};
    for (unsigned i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        const uint64_t now = 5000 + i * (DELAY_MS + 1);
        HAK_EXPECT_EQ(excess(now, 160, 40, true), 25);
        hak_bound_note_given(now, periods[i].limit * MIB - 1);
        HAK_EXPECT_EQ(excess(now, 160, 40, true), 25);
        hak_bound_note_given(now, 1);
        HAK_EXPECT_EQ(excess(now, 160, 40, true), 0);
        hak_bound_note_given(now, (periods[i].given - periods[i].limit) * MIB);
    }
}

/* Without a thread more than 16 MiB, or than is in use, is too much whatever was in use before. */
HAK_TEST_ISOLATED(PurgeBound, AloneIsSixteenMiBOrWhatIsInUse, "") {
    HAK_EXPECT_EQ(excess(5000, 160, 0, false), 0);
    HAK_EXPECT_EQ(excess(5001, 0, 16, false), 0);
    HAK_EXPECT_EQ(excess(5002, 0, 20, false), 8);
    HAK_EXPECT_EQ(excess(5003, 60, 60, false), 0);
    HAK_EXPECT_EQ(excess(5004, 60, 80, false), 35);
    HAK_EXPECT_EQ(excess(5005, 60, 80, true), 0);
}

/* Alone: what was given back is in use again within the delay, so twice as much may wait; and half of that again when so much
 * was not wanted for a delay. */
HAK_TEST_ISOLATED(PurgeBound, AloneLearns, "") {
    HAK_EXPECT_EQ(excess(5000, 160, 0, false), 0);
    HAK_EXPECT_EQ(excess(5001, 0, 60, false), 48);
    waiting -= 48 * MIB;
    hak_bound_note_given(5001, 48 * MIB);
    HAK_EXPECT_EQ(excess(5100, 60, 0, false), 0);
    HAK_EXPECT_EQ(excess(5200, 0, 120, false), 0);
    HAK_EXPECT_EQ(excess(5300, 0, 160, false), 70);
    hak_bound_note_aged(31 * MIB);
    HAK_EXPECT_EQ(excess(5301, 0, 80, false), 35);
}
