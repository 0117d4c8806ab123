/* SPDX-License-Identifier: MIT */
/* Who visits all regions, or looks for one of many: by counts of what is looked at, and of visits in one hold of the lock. The
 * linker sends what is counted through this file. */
#include <stdint.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/region/region.h"
#include "hakmem/space/units.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"

bool __real_hak_units_is_region(const void *p);
bool __wrap_hak_units_is_region(const void *p);
void __real_hak_lock_release_slow(struct hak_lock *lock);
void __wrap_hak_lock_release_slow(struct hak_lock *lock);

static uint32_t looks_at_units; /* atomic */

bool __wrap_hak_units_is_region(const void *p) {
    hak_fetch_add_relaxed(&looks_at_units, 1);
    return __real_hak_units_is_region(p);
}

static bool ignore(const struct hak_walk_block *block, void *argument) {
    (void)block;
    (void)argument;
    return true;
}

#define CHUNK ((size_t)64 << 10)
#define REGIONS 4
#define FILL (REGIONS * (HAK_REGION_BYTES / CHUNK))

static void *fill[FILL];

static void fill_regions(void) {
    for (size_t i = 0; i < FILL; i++) fill[i] = hak_alloc(CHUNK);
    HAK_EXPECT_GE(hak_region_count_now(), REGIONS);
}

static void empty_regions(void) {
    for (size_t i = 0; i < FILL; i++) hak_free(fill[i]);
}

static uint64_t cached_blocks(void) {
    const struct hak_stats stats = census_all();
    return stats.tiny.cached_blocks + stats.l2.cached_blocks + stats.l25.cached_blocks;
}

/* A walk looks once for each block that lies in a magazine, and not into region after region; with guard, where the shadow
 * says what a block is, only assertions look, and they look at each slab. */
static void expect_one_look_each(void) {
    struct hak_walk_result result;
    const uint64_t cached = cached_blocks();
    HAK_EXPECT_GT(cached, 10);
    hak_store_relaxed(&looks_at_units, 0);
    HAK_EXPECT_EQ(hak_walk(ignore, NULL, &result), 0);
    const uint64_t looks = hak_load_relaxed(&looks_at_units);
    if (!HAK_GUARD_EXACT) {
        HAK_EXPECT_EQ(looks, cached);
    } else if (!HAK_DEBUG) {
        HAK_EXPECT_EQ(looks, 0);
    }
}

HAK_TEST_ISOLATED(RegionVisits, FindEachCachedBlockAtOnceAmongManyRegions, "") {
    hak_free(hak_alloc(100));
    hak_free(hak_alloc(1000));
    expect_one_look_each();
    fill_regions();
    expect_one_look_each();
    empty_regions();
}

static struct hak_lock *region_lock;
static unsigned visits, visits_in_hold, visits_most, holds;
static uint32_t numbers; /* the regions' */

static void note_lock(struct hak_lock *lock, struct lock_fork *fork) {
    (void)fork;
    region_lock = lock;
}

void __wrap_hak_lock_release_slow(struct hak_lock *lock) {
    if (lock == region_lock) {
        visits_most = visits_in_hold > visits_most ? visits_in_hold : visits_most;
        holds += visits_in_hold > 0;
        visits_in_hold = 0;
    }
    __real_hak_lock_release_slow(lock);
}

/* As if another thread waited for the lock: its release takes the way above. */
static void visit(struct region *region, unsigned first, void *argument) {
    (void)argument;
    hak_fetch_or_acq_rel(&region_lock->word, LOCK_WAITERS);
    visits++;
    visits_in_hold++;
    if (visits_in_hold == 1) HAK_EXPECT_EQ(region->number, numbers++);
    HAK_EXPECT(hak_region_contains(region_chunk_address(region, first))); /* takes no lock */
    HAK_EXPECT(!hak_region_contains(region));
}

/* One hold of the region lock visits what one region has, however many there are. */
HAK_TEST_ISOLATED(RegionVisits, HoldTheRegionLockForOneRegionAtATime, "") {
    fill_regions();
    alarm(60); /* where what is called with the lock held wants it */
    hak_region_fork_locks(note_lock, NULL);
    hak_region_for_each_span(visit, NULL);
    HAK_EXPECT_GE(visits, FILL);
    HAK_EXPECT_LE(visits_most, HAK_REGION_CHUNKS);
    HAK_EXPECT_EQ(holds, hak_region_count_now());
    region_lock = NULL;
    empty_regions();
}
