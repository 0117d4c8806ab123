/* SPDX-License-Identifier: MIT */
/* What each experiment changes, against the value that the variant is named for: a build that ignored the flag fails here. */
#include <stdlib.h>
#include <string.h>

#include "hakmem/flags/flags.h"
#include "hakmem/front/front_fast.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange_room.h"
#include "hakmem/size_class/size_class.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

/* The variant's value of an experiment, "TABLE" or another; NULL where the test is not run as a variant. */
static const char *value_of(const char *experiment) {
    char name[32] = "HAK_TEST_";
    return getenv(strcat(name, experiment));
}

static bool is(const char *value, const char *other) { return strcmp(value, other) == 0; }

HAK_TEST(Experiments, TheBuildSaysWhichAreFlipped) {
    const char *config = getenv("HAK_TEST_CONFIG");
    if (config == NULL) HAK_SKIP("not run as a variant");
    HAK_EXPECT_STREQ(hak_config_string(), config);
}

HAK_TEST(Experiments, TableHasSoManyEntries) {
    const char *value = value_of("TABLE");
    if (value == NULL) HAK_SKIP("not run as a variant");
    HAK_EXPECT_EQ(HAK_SIZE_CLASS_TABLE_ENTRIES, strtoul(value, NULL, 10));
    HAK_EXPECT_EQ(1 + 1024 / hak_table_granularity(), strtoul(value, NULL, 10));
    /* What a table by 16 cannot tell from the class of 16 bytes. */
    HAK_EXPECT_EQ(hak_classes[1].block_size, is(value, "65") || HAK_GUARD ? 16 : 8);
    for (size_t size = 0; size <= HAK_TINY_MAX; size++) {
        const unsigned class_index = size_class_tiny(size);
        HAK_EXPECT_GE(hak_classes[class_index].block_size, size);
        HAK_EXPECT_EQ(class_index, ladder_chain_tiny(size));
    }
}

/* A caller that is hardly ever run, where a compiler does not inline by itself; once with the fast path, once with a call. */
#define COLD(part) __attribute__((cold, noinline, section(part)))
COLD("text_of_inlined") static void *cold_inlined(size_t size) { return hak_alloc_inline(size); }
COLD("text_of_called") static void *cold_called(size_t size) { return hak_alloc(size); }
extern const char __start_text_of_inlined[], __stop_text_of_inlined[], __start_text_of_called[],
    __stop_text_of_called[];

HAK_TEST(Experiments, InlineAlwaysHoldsInAColdCaller) {
    const char *value = value_of("INLINE");
    if (value == NULL) HAK_SKIP("not run as a variant");
    if (!HAK_P2_INLINE_FAST_PATH || HAK_GUARD) HAK_SKIP("the fast path is another");
#ifdef __clang__
    HAK_SKIP("clang inlines it without being told");
#endif
    hak_free_inline(cold_inlined(8)); /* another caller, so that neither function is the only one's */
    hak_free_inline(hak_alloc_inline(16));
    hak_free(cold_called(8));
    const ptrdiff_t inlined = __stop_text_of_inlined - __start_text_of_inlined;
    const ptrdiff_t called = __stop_text_of_called - __start_text_of_called;
    HAK_EXPECT_EQ(inlined > 2 * called, is(value, "always"));
}

#define GENERATED(class_index, size, blocks, chunks, words, reciprocal, capacity) [class_index] = (capacity),
static const uint16_t generated[HAK_CLASS_COUNT] = {HAK_ALL_CLASSES(GENERATED)};

HAK_TEST(Experiments, MagazinesAreWholeOrHalf) {
    const char *value = value_of("MAGAZINE");
    if (value == NULL) HAK_SKIP("not run as a variant");
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const unsigned half = (generated[c] / 2u + 1) / 2 * 2;
        HAK_EXPECT_EQ(hak_classes[c].magazine, is(value, "half") ? half : generated[c]);
    }
}

/* A size that nothing else in the program allocates. */
#define COUNTED_SIZE 200

static uint64_t counted(void) {
    struct hak_class_stats stats;
    hak_class_get_stats(size_class_of(COUNTED_SIZE), &stats);
    return stats.allocations;
}

static void allocate(void *argument, unsigned index) {
    (void)index;
    for (unsigned i = 0; i < *(const unsigned *)argument; i++) hak_free(hak_alloc(COUNTED_SIZE));
}

HAK_TEST(Experiments, CountsMoveEverySoManyAllocations) {
    const char *value = value_of("COUNTS");
    if (value == NULL) HAK_SKIP("not run as a variant");
    if (!HAK_P1_BATCHED_STATS) HAK_SKIP("counts are estimated");
    const uint64_t every = is(value, "exchange") ? 1 : strtoul(value, NULL, 10);
    uint64_t before = counted();
    unsigned since = 0, steps = 0, one = 1;
    for (unsigned i = 0; i < 4 * every; i++) {
        allocate(&one, 0);
        since++;
        const uint64_t now = counted();
        if (now != before) {
            HAK_EXPECT_EQ(now - before, every);
            if (steps++ > 0) HAK_EXPECT_EQ(since, every);
            since = 0;
        }
        before = now;
    }
    HAK_EXPECT_EQ(steps, 4);
    struct hak_stats stats;
    hak_stats_get(&stats);
    HAK_EXPECT_EQ(stats.exact, every == 1);
}

HAK_TEST(Experiments, ThreadThatEndsLeavesNoCountBehind) {
    if (!HAK_P1_BATCHED_STATS) HAK_SKIP("counts are estimated");
    unsigned few = 10;
    const uint64_t before = counted();
    threads_run(1, allocate, &few);
    HAK_EXPECT_EQ(counted(), before + few);
}

/* ---- Remote frees ------------------------------------------------------------------------------------ */

#define BLOCKS_MAX 4096

/* What a thread that is all by itself works with. */
struct work {
    void (*body)(struct work *work);
    unsigned class_index;
    void *blocks[BLOCKS_MAX];
    unsigned count;
    const struct slab
        *of[2]; /* the slabs of which another thread frees all blocks; NULL, NULL: the first block alone */
};

static void enter(void *argument, unsigned index) {
    struct work *work = (struct work *)argument;
    (void)index;
    work->body(work);
}

static void in_fresh_thread(size_t size, void (*body)(struct work *work)) {
    static struct work work;
    work = (struct work){.body = body, .class_index = size_class_of(size)};
    threads_run(1, enter, &work);
    for (unsigned i = 0; i < work.count; i++) hak_free(work.blocks[i]);
}

static struct hak_thread_class *own(const struct work *work) { return &hak_self->classes[work->class_index]; }

static void take(struct work *work) {
    HAK_ASSERT_TRUE(work->count < BLOCKS_MAX);
    work->blocks[work->count++] = hak_alloc(hak_classes[work->class_index].block_size);
}

static void take_until_exchange(struct work *work) {
    const uint64_t exchanges = hak_self->exchanges;
    while (hak_self->exchanges == exchanges && work->count < BLOCKS_MAX) take(work);
}

static void free_from_outside(void *argument, unsigned index) {
    struct work *work = (struct work *)argument;
    const bool is_first = work->of[0] == NULL;
    (void)index;
    for (unsigned i = 0; i < work->count; i++) {
        const struct slab *slab = slab_of(work->blocks[i]);
        if (is_first ? i > 0 : slab != work->of[0] && slab != work->of[1]) continue;
        hak_free(work->blocks[i]);
        work->blocks[i] = NULL;
    }
}

static unsigned freed_from_outside(const struct slab *slab, unsigned class_index) {
    unsigned count = 0;
    for (unsigned word = 0; word < hak_classes[class_index].bitmap_words; word++) {
        count += (unsigned)__builtin_popcountll(hak_load_relaxed(&slab_remote_bits(slab, class_index)[word]));
    }
    return count;
}

static void refill_from_a_slab_with_a_remote_free(struct work *work) {
    take(work);
    const struct slab *slab = slab_of(work->blocks[0]);
    HAK_EXPECT(slab == own(work)->active[0]);
    threads_run(1, free_from_outside, work);
    HAK_EXPECT_EQ(freed_from_outside(slab, work->class_index), 1);
    take_until_exchange(work);
    HAK_EXPECT_EQ(freed_from_outside(slab, work->class_index), is(value_of("DRAIN"), "opportunistic") ? 0 : 1);
}

/* No thread of the allocator's may take the slabs of a test that waits for a busy machine. */
#define NOTHING_DECAYS "HAKMEM_PURGE_DELAY_MS=-1"

HAK_TEST_ISOLATED(Experiments, DrainTakesInASlabThatIsNotDry, NOTHING_DECAYS) {
    if (value_of("DRAIN") == NULL) HAK_SKIP("not run as a variant");
    in_fresh_thread(64, refill_from_a_slab_with_a_remote_free);
}

static bool is_dry(const struct slab *slab) { return slab != NULL && slab->free_count == 0; }

static void refill_after_two_dry_slabs_were_freed(struct work *work) {
    take(work); /* begins the thread */
    struct slab **active = own(work)->active;
    do take_until_exchange(work);
    while (!(is_dry(active[0]) && is_dry(active[1])) && work->count < BLOCKS_MAX);
    HAK_ASSERT_TRUE(is_dry(active[0]) && is_dry(active[1]));
    const struct slab *second = active[1];
    work->of[0] = active[0];
    work->of[1] = active[1];
    threads_run(1, free_from_outside, work);
    HAK_EXPECT_GE(8 * freed_from_outside(second, work->class_index), hak_classes[work->class_index].blocks);
    HAK_EXPECT_EQ(hak_slab_state_of(second), SLAB_OWNED);
    take_until_exchange(work);
    if (is(value_of("PROMOTE"), "at_once")) {
        HAK_EXPECT(active[1] == NULL);
        HAK_EXPECT(hak_slab_state_of(second) != SLAB_OWNED);
    } else {
        HAK_EXPECT(active[1] == second);
        HAK_EXPECT_EQ(hak_slab_state_of(second), SLAB_OWNED);
    }
}

HAK_TEST_ISOLATED(Experiments, PromoteGivesUpTheOtherSlabInTheDrain, NOTHING_DECAYS) {
    if (value_of("PROMOTE") == NULL) HAK_SKIP("not run as a variant");
    in_fresh_thread(1024, refill_after_two_dry_slabs_were_freed);
}

/* ---- Room of magazines ------------------------------------------------------------------------------- */

static uint32_t room(unsigned class_index) { return exchange_capacity(hak_self, class_index); }

static void first_exchange(struct work *work) {
    take(work);
    const uint32_t all = hak_classes[work->class_index].magazine;
    if (is(value_of("CAPACITY"), "fixed")) {
        HAK_EXPECT_EQ(room(work->class_index), all);
    } else {
        HAK_EXPECT_LT(room(work->class_index), all);
    }
}

HAK_TEST_ISOLATED(Experiments, CapacityIsWholeAtOnceWhereItIsFixed, NOTHING_DECAYS) {
    if (value_of("CAPACITY") == NULL) HAK_SKIP("not run as a variant");
    if (!ladder_room_varies()) HAK_SKIP("without P3 a magazine always has its whole room");
    in_fresh_thread(1024, first_exchange);
}

/* More classes than EXCHANGE_HOT_OF / EXCHANGE_HOT: asked for in turn, none is hot by itself. */
#define CLASSES_IN_TURN 20
#define FIRST_IN_TURN (HAK_TINY_CLASS_LAST > CLASSES_IN_TURN ? HAK_TINY_CLASS_LAST - CLASSES_IN_TURN + 1u : 1u)
#define ROUNDS_IN_TURN 4

/* The one place that asks for all of them. */
static HAK_NOINLINE void *take_from_one_place(size_t size) { return hak_alloc(size); }

static void one_place_asks_for_many_classes(struct work *work) {
    (void)work;
    static void *blocks[BLOCKS_MAX];
    unsigned count = 0;
    for (unsigned round = 0; round < ROUNDS_IN_TURN; round++) {
        for (unsigned c = FIRST_IN_TURN; c <= HAK_TINY_CLASS_LAST; c++) {
            const uint64_t exchanges = hak_self != NULL ? hak_self->exchanges : 0;
            do blocks[count++] = take_from_one_place(hak_classes[c].block_size);
            while (hak_self->exchanges == exchanges && count < BLOCKS_MAX);
        }
    }
    HAK_EXPECT_LT(count, BLOCKS_MAX);
    const bool by_site = is(value_of("CAPACITY"), "site");
    unsigned grown = 0;
    for (unsigned c = FIRST_IN_TURN; c <= HAK_TINY_CLASS_LAST; c++) {
        grown += room(c) > hak_exchange_first_room(c);
    }
    HAK_EXPECT_EQ(grown > 0, by_site);
    while (count > 0) hak_free(blocks[--count]);
}

HAK_TEST_ISOLATED(Experiments, CapacityFollowsTheSiteWhereItIsAsked, NOTHING_DECAYS) {
    if (value_of("CAPACITY") == NULL) HAK_SKIP("not run as a variant");
    if (!ladder_room_varies()) HAK_SKIP("without P3 a magazine always has its whole room");
    if (HAK_TINY_CLASS_LAST < CLASSES_IN_TURN) HAK_SKIP("these classes are few");
    in_fresh_thread(1024, one_place_asks_for_many_classes);
}
