/* SPDX-License-Identifier: MIT */
/* Statistics and walks say `quiet` and `exact` only of what nobody changed while they read. What happens meanwhile happens
 * here in the middle of the reading, by count and not by chance: the linker sends hak_region_for_each_span through this file. */
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/reading.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/region/region.h"
#include "hakmem/slab/moving.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

/* A pool, and its own kind of change each: a top that falls, a top that rises, a table of blocks. */
#define SMALL ((size_t)48)
#define HUGE ((size_t)3 << 20)

/* No purge may be due in there, where locks are held that come behind the purge's. */
#define ENVIRONMENT "HAKMEM_PURGE_DELAY_MS=-1"

typedef void (*region_visitor)(struct region *region, unsigned first, void *argument);

void __real_hak_region_for_each_span(region_visitor visit, void *argument);
void __wrap_hak_region_for_each_span(region_visitor visit, void *argument);

static void (*beforehand)(void); /* once */
static void (*meanwhile)(void);
static void *small, *large; /* blocks that come or go meanwhile */

void __wrap_hak_region_for_each_span(region_visitor visit, void *argument) {
    void (*const first)(void) = beforehand;
    beforehand = NULL;
    if (first != NULL) first();
    __real_hak_region_for_each_span(visit, argument);
    if (meanwhile != NULL) meanwhile();
}

static bool ignore(const struct hak_walk_block *block, void *argument) {
    (void)block;
    (void)argument;
    return true;
}

/* Whether a reading of each kind says that nothing changed during it. */
static bool stats_are_quiet(void (*what)(void)) {
    struct hak_stats stats;
    meanwhile = what;
    hak_stats_get(&stats);
    meanwhile = NULL;
    return stats.quiet;
}

static bool walk_is_exact(void (*what)(void)) {
    struct hak_walk_result result;
    meanwhile = what;
    HAK_EXPECT_EQ(hak_walk(ignore, NULL, &result), 0);
    meanwhile = NULL;
    return result.exact;
}

static void take_small(void) { small = hak_alloc(SMALL); }
static void give_small(void) { hak_free(small); }
static void take_huge(void) { large = hak_alloc(HUGE); }
static void give_huge(void) { hak_free(large); }
static void take_and_give_huge(void) { hak_free(hak_alloc(HUGE)); }

/* What takes is followed by what gives, for both readings. With guard the walk asks the shadow, block by block. */
static void expect_noticed(void (*take)(void), void (*give)(void)) {
    HAK_EXPECT(!stats_are_quiet(take));
    HAK_EXPECT(!stats_are_quiet(give));
    HAK_EXPECT_EQ(walk_is_exact(take), HAK_GUARD_EXACT != 0);
    HAK_EXPECT_EQ(walk_is_exact(give), HAK_GUARD_EXACT != 0);
}

static void begin(void) {
    /* The thread has a block to take, and room to give one back, without an exchange. */
    take_small();
    give_small();
    take_huge();
    give_huge();
    HAK_EXPECT_EQ(stats_are_quiet(NULL), HAK_P3_SENTINELS != 0);
    HAK_EXPECT_EQ(walk_is_exact(NULL), HAK_P3_SENTINELS || HAK_GUARD_EXACT);
}

HAK_TEST_ISOLATED(Quiet, NotWhereABlockLeftOrEnteredAMagazine, ENVIRONMENT) {
    begin();
    struct hak_stats before, after;
    hak_stats_get(&before);
    expect_noticed(take_small, give_small);
    hak_stats_get(&after);
    HAK_EXPECT_EQ(after.exchanges, before.exchanges); /* which would be noticed by themselves */
}

HAK_TEST_ISOLATED(Quiet, NotWhereAHugeBlockCameOrWent, ENVIRONMENT) {
    begin();
    expect_noticed(take_huge, give_huge);
    expect_noticed(take_and_give_huge, take_and_give_huge);
}

/* The block comes out of a slab of the profile's own and goes back there, without an exchange. */
HAK_TEST_ISOLATED(Quiet, NotWhereASampledBlockWasFreed, ENVIRONMENT) {
    begin();
    HAK_EXPECT_EQ(hak_profile_start(1), 0);
    take_small();
    HAK_EXPECT_EQ(stats_are_quiet(NULL), HAK_P3_SENTINELS != 0);
    HAK_EXPECT(!stats_are_quiet(give_small));
    take_small();
    HAK_EXPECT_EQ(walk_is_exact(give_small), HAK_GUARD_EXACT != 0);
    HAK_EXPECT_EQ(stats_are_quiet(NULL), HAK_P3_SENTINELS != 0);
}

static void take_shared(void) { small = hak_shared_alloc(1); }
static void give_shared(void) { hak_shared_free(1, small); }

/* A thread without magazines changes slabs under a lock that no reader takes. */
HAK_TEST_ISOLATED(Quiet, NotWhereAThreadWithoutMagazinesAllocated, ENVIRONMENT) {
    begin();
    hak_shared_free(1, hak_shared_alloc(1));
    expect_noticed(take_shared, give_shared);
    HAK_EXPECT(!stats_are_quiet(hak_shared_flush));
    HAK_EXPECT_EQ(stats_are_quiet(NULL), HAK_P3_SENTINELS != 0);
}

static unsigned readings, quiet_readings;

static void read_meanwhile(void) {
    readings++;
    quiet_readings += stats_are_quiet(NULL);
}

/* A purge drains slabs that nobody owns: bits move from one word to another. */
HAK_TEST_ISOLATED(Quiet, NotWhileAPurgeHoldsSlabs, ENVIRONMENT) {
    enum { BLOCKS = 2000 };
    static void *blocks[BLOCKS];
    begin();
    for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(SMALL);
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (i % 1000 != 0) hak_free(blocks[i]);
    }
    hak_thread_flush();
    os_fake_reset();
    os_fake_within(OS_FAKE_PURGE, read_meanwhile);
    HAK_EXPECT_GT(hak_trim(), 0);
    os_fake_reset();
    HAK_EXPECT_EQ(readings, 1);
    HAK_EXPECT_EQ(quiet_readings, 0);
    HAK_EXPECT_EQ(stats_are_quiet(NULL), HAK_P3_SENTINELS != 0);
}

static void expect_quiet_child(void) { HAK_EXPECT_EQ(stats_are_quiet(NULL), HAK_P3_SENTINELS != 0); }

/* What the threads had under way that the child does not have is over. */
HAK_TEST_ISOLATED(Quiet, AgainInTheChildOfAFork, ENVIRONMENT) {
    begin();
    hak_moving_begin();
    HAK_EXPECT(!stats_are_quiet(NULL));
    HAK_EXPECT_EXIT_OK(expect_quiet_child());
    hak_moving_end();
    expect_quiet_child();
}

/* Threads count at different places, of which there are fewer than these. Each of them is looked at. */
static void move_and_look(void *looked, unsigned index) {
    uint64_t before, meanwhile_begun, after;
    (void)index;
    HAK_EXPECT(hak_moving_look(&before));
    for (uint64_t moves = 1; moves <= 2; moves++) {
        hak_moving_begin();
        HAK_EXPECT(!hak_moving_look(&meanwhile_begun));
        HAK_EXPECT_EQ(meanwhile_begun, before + moves);
        hak_moving_end();
        HAK_EXPECT(hak_moving_look(&after));
        HAK_EXPECT_EQ(after, before + moves);
    }
    ++*(unsigned *)looked;
}

HAK_TEST_ISOLATED(Quiet, MovesOfManyThreadsAreSeenEach, ENVIRONMENT) {
    unsigned looked = 0;
    for (unsigned i = 0; i < 40; i++) threads_run(1, move_and_look, &looked); /* one after the other */
    HAK_EXPECT_EQ(looked, 40);
}

HAK_TEST(Quiet, EachMoveIsCompared) {
    const struct hak_reading_moves still = {.sequences = 4, .tops = 3, .outside = 2, .is_settled = true};
    HAK_EXPECT(hak_reading_is_quiet(&still, &still));
    struct hak_reading_moves other[4] = {still, still, still, still};
    other[0].sequences++;
    other[1].tops++;
    other[2].outside++;
    other[3].is_settled = false;
    for (unsigned i = 0; i < 4; i++) {
        HAK_EXPECT(!hak_reading_is_quiet(&still, &other[i]));
        HAK_EXPECT(!hak_reading_is_quiet(&other[i], &still));
    }
}

/* ---- What a walk finds ---- */

#define SOME 600u
#define SOME_LARGE 400u /* more than one region holds, with those of another one */
#define LARGE ((size_t)500000)

static void *some[SOME];
static unsigned some_count, found[SOME];
static uint64_t others_found;

static void make_some(unsigned count, size_t size) {
    for (unsigned i = 0; i < count; i++) HAK_EXPECT((some[i] = hak_alloc(size)) != NULL);
    some_count = count;
}

static bool find_some(const struct hak_walk_block *block, void *argument) {
    (void)argument;
    others_found++;
    for (unsigned i = 0; i < some_count; i++) {
        if (block->start != some[i]) continue;
        found[i]++;
        others_found--;
    }
    return true;
}

static void expect_some_found(bool is_exact, uint64_t others) {
    struct hak_walk_result result;
    HAK_EXPECT_EQ(hak_walk(find_some, NULL, &result), 0);
    HAK_EXPECT_EQ(result.exact, is_exact);
    for (unsigned i = 0; i < some_count; i++) HAK_EXPECT_EQ(found[i], 1);
    HAK_EXPECT_EQ(result.blocks, some_count + others_found);
    if (others != UINT64_MAX) HAK_EXPECT_EQ(others_found, others);
    for (unsigned i = 0; i < some_count; i++) hak_free(some[i]);
}

static void make_some_huge(void) { make_some(60, HUGE); }
static void make_some_large(void) { make_some(SOME_LARGE, LARGE); }

/* More blocks came, or regions, than there is room to note: the walk begins again, and passes each block once. */
static void walk_beside_more(void (*more)(void)) {
    void *const stays = hak_alloc(SMALL);
    begin();
    beforehand = more;
    expect_some_found(HAK_P3_SENTINELS || HAK_GUARD_EXACT, 1);
    hak_free(stays);
}

HAK_TEST_ISOLATED(Quiet, AWalkBeginsAgainWhereHugeBlocksCame, ENVIRONMENT) { walk_beside_more(make_some_huge); }

HAK_TEST_ISOLATED(Quiet, AWalkBeginsAgainWhereRegionsCame, ENVIRONMENT) { walk_beside_more(make_some_large); }

/* New slabs beside those that were noted, full magazines of their blocks, and the end of what was noted. */
static void change_much(void) {
    enum { BLOCKS = 3000 };
    static void *blocks[BLOCKS];
    static const size_t sizes[] = {16, SMALL, 1000, 5000};
    for (unsigned k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(sizes[k]);
        for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    }
}

/* Whatever changes meanwhile, what was there all along is passed once. */
HAK_TEST_ISOLATED(Quiet, AWalkFindsWhatStaysBesideMuchThatChanges, ENVIRONMENT) {
    static const size_t sizes[] = {SMALL, 16, 5000};
    for (unsigned k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        make_some(SOME, sizes[k]);
        for (unsigned i = 0; i < SOME; i++) found[i] = 0;
        others_found = 0;
        meanwhile = change_much;
        expect_some_found(HAK_GUARD_EXACT, UINT64_MAX);
        meanwhile = NULL;
    }
}
