/* SPDX-License-Identifier: MIT */
/* hak_profile_set_hooks: what is told of which block, in which order, and while hooks come and go. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "hakmem/sample/hooks.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"
#include "tests/unit/profile_sum.h"

#define KEPT 256

/* What the hooks were told, of one thread. */
struct told {
    unsigned sampled, freed;
    struct hak_profile_sample last;
    const void *live[KEPT];
};

static void note_sampled(const struct hak_profile_sample *sample, void *argument) {
    struct told *told = (struct told *)argument;
    told->live[told->sampled++ % KEPT] = sample->block;
    told->last = *sample;
    errno = EILSEQ;
}

static void note_freed(const struct hak_profile_sample *sample, void *argument) {
    struct told *told = (struct told *)argument;
    told->freed++;
    told->last = *sample;
    errno = EILSEQ;
}

static const struct hak_profile_hooks *hooks_of(struct told *told) {
    static struct hak_profile_hooks hooks;
    hooks = (struct hak_profile_hooks){.sampled = note_sampled, .freed = note_freed, .argument = told};
    return &hooks;
}

HAK_TEST(Hooks, EveryBlockOfEveryPoolIsToldWithItsSiteAndSize) {
    struct told told = {0};
    void *blocks[CENSUS_SIZE_COUNT];
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(hooks_of(&told)) == 0);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        errno = 0;
        blocks[i] = hak_alloc_at(census_sizes[i], SITE(i));
        HAK_EXPECT_EQ(errno, 0);
        HAK_EXPECT_EQ(told.sampled, i + 1);
        HAK_EXPECT_PTR_EQ(told.last.block, blocks[i]);
        HAK_EXPECT_PTR_EQ(told.last.site, SITE(i));
        HAK_EXPECT_EQ(told.last.block_size, hak_usable_size(blocks[i]));
        HAK_EXPECT(told.last.scale > 0.999 && told.last.scale < 1.001);
    }
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        errno = 0;
        hak_free(blocks[i]);
        HAK_EXPECT_EQ(errno, 0);
        HAK_EXPECT_EQ(told.freed, i + 1);
        HAK_EXPECT_PTR_EQ(told.last.block, blocks[i]);
        HAK_EXPECT_PTR_EQ(told.last.site, SITE(i));
    }
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    hak_free(hak_alloc(100));
    HAK_EXPECT_EQ(told.sampled, CENSUS_SIZE_COUNT);
    HAK_EXPECT_EQ(told.freed, CENSUS_SIZE_COUNT);
    hak_profile_stop();
}

HAK_TEST(Hooks, OnlySampledBlocksAreTold) {
    struct told told = {0};
    HAK_ASSERT_TRUE(hak_profile_start(10000) == 0);
    const uint64_t before = sum_of(NULL).samples;
    HAK_ASSERT_TRUE(hak_profile_set_hooks(hooks_of(&told)) == 0);
    for (unsigned i = 0; i < 20000; i++) hak_free(hak_alloc(100));
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    HAK_EXPECT(told.sampled > 0 && told.sampled < 20000);
    HAK_EXPECT_EQ(told.sampled, sum_of(NULL).samples - before);
    HAK_EXPECT_EQ(told.freed, told.sampled);
    HAK_EXPECT(told.last.scale > 70 && told.last.scale < 110);
    hak_profile_stop();
}

HAK_TEST(Hooks, ReallocThatMovesTellsOfBoth) {
    struct told told = {0};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(hooks_of(&told)) == 0);
    const size_t sizes[] = {100, 5000, 500000, (size_t)3 << 20, (size_t)9 << 20, 64};
    void *p = NULL;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        p = hak_realloc(p, sizes[i]);
        HAK_EXPECT_EQ(told.sampled, i + 1);
        HAK_EXPECT_EQ(told.freed, i);
    }
    hak_free(p);
    HAK_EXPECT_EQ(told.freed, told.sampled);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    hak_profile_stop();
}

/* One hook of each kind that does what a profiler does: keeps something, and gives it back. */
static void *kept[KEPT];
static unsigned kept_depth, kept_deepest;

static void allocate(const struct hak_profile_sample *sample, void *argument) {
    (void)argument;
    kept_depth++;
    if (kept_depth > kept_deepest) kept_deepest = kept_depth;
    void **slot = &kept[(uintptr_t)sample->block / 16 % KEPT];
    hak_free(*slot);
    *slot = hak_calloc(1, sample->block_size);
    hak_free(hak_realloc(hak_alloc(sample->block_size), 2 * sample->block_size));
    HAK_EXPECT_EQ(hak_profile_set_hooks(NULL), EDEADLK);
    kept_depth--;
}

static const struct hak_profile_hooks allocating = {.sampled = allocate, .freed = allocate};

HAK_TEST(Hooks, MayAllocateAndFree) {
    const uint64_t live = census_live_blocks();
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(&allocating) == 0);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
            unsigned char *p = (unsigned char *)hak_calloc(1, census_sizes[i]);
            size_t wrong = 0;
            for (size_t k = 0; k < census_sizes[i]; k++) wrong += p[k] != 0;
            HAK_EXPECT_EQ(wrong, 0);
            memset(p, 0xa5, census_sizes[i]);
            hak_free(p);
        }
    }
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    HAK_EXPECT_EQ(kept_deepest, 1);
    for (unsigned i = 0; i < KEPT; i++) hak_free(kept[i]);
    hak_profile_stop();
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

/* Fills the thread's magazine of the class with blocks that read zero. */
static void load_zeroed(const struct hak_profile_sample *sample, void *argument) {
    (void)argument;
    hak_profile_stop();
    for (unsigned i = 0; i < KEPT; i++) kept[i] = hak_alloc(sample->block_size);
}

HAK_TEST_ISOLATED(Hooks, CallocClearsWhateverAHookAllocates, "") { /* whose memory is new */
    const size_t size = 1000;
    const struct hak_profile_hooks hooks = {.sampled = load_zeroed};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    hak_thread_flush();
    unsigned char *p = (unsigned char *)hak_alloc(size);
    memset(p, 0xa5, size);
    hak_free(p);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(&hooks) == 0);
    unsigned char *again = (unsigned char *)hak_calloc(1, size);
    HAK_EXPECT_PTR_EQ(again, p); /* else nothing is tested here */
    size_t wrong = 0;
    for (size_t k = 0; k < size; k++) wrong += again[k] != 0;
    HAK_EXPECT_EQ(wrong, 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    hak_free(again);
    for (unsigned i = 0; i < KEPT; i++) hak_free(kept[i]);
}

HAK_TEST(Hooks, BadOnesAreRefusedAndLeaveTheOthers) {
    struct told told = {0};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(hooks_of(&told)) == 0);
    const struct hak_profile_hooks none = {.argument = &told};
    HAK_EXPECT_EQ(hak_profile_set_hooks(&none), EINVAL);
    hak_free(hak_alloc(100));
    HAK_EXPECT_EQ(told.sampled, 1);
    const struct hak_profile_hooks half = {.freed = note_freed, .argument = &told};
    HAK_ASSERT_TRUE(hak_profile_set_hooks(&half) == 0);
    hak_free(hak_alloc(100));
    HAK_EXPECT_EQ(told.sampled, 1);
    HAK_EXPECT_EQ(told.freed, 2);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    hak_profile_stop();
}

/* Of threads: a hook's argument is torn down as soon as it is unset. */
struct argument {
    uint32_t is_set; /* atomic */
    uint64_t calls;  /* atomic */
};

static void count_call(const struct hak_profile_sample *sample, void *argument) {
    struct argument *own = (struct argument *)argument;
    HAK_EXPECT(sample->block != NULL);
    /* Relaxed, all: whoever unsets the hooks waits for this call, which is what is tested. */
    HAK_EXPECT_EQ(__atomic_load_n(&own->is_set, __ATOMIC_RELAXED), 1);
    __atomic_fetch_add(&own->calls, 1, __ATOMIC_RELAXED);
}

static uint32_t must_end; /* atomic */

static void set_and_unset(unsigned index) {
    for (unsigned i = 0; i < HAK_TEST_SCALE(400); i++) {
        struct argument *own = (struct argument *)hak_alloc(sizeof *own);
        *own = (struct argument){.is_set = 1};
        const struct hak_profile_hooks hooks = {.sampled = count_call, .freed = count_call, .argument = own};
        HAK_EXPECT_EQ(hak_profile_set_hooks(&hooks), 0);
        if (index == 0) hak_free(hak_alloc(64));
        HAK_EXPECT_EQ(hak_profile_set_hooks(NULL), 0);
        own->is_set = 0; /* not atomic: no thread has it any more */
        hak_free(own);
    }
}

static void allocate_meanwhile(void *argument, unsigned index) {
    (void)argument;
    if (index < 2) {
        set_and_unset(index);
        __atomic_fetch_add(&must_end, 1, __ATOMIC_RELAXED);
        return;
    }
    while (__atomic_load_n(&must_end, __ATOMIC_RELAXED) < 2) {
        hak_free(hak_alloc(48));
        hak_free(hak_alloc(40000));
    }
}

HAK_TEST(Hooks, MayBeUnsetWhileOtherThreadsAllocate) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    threads_run(4, allocate_meanwhile, NULL);
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    hak_profile_stop();
    CENSUS_EXPECT_CONSISTENT();
}

static uint32_t is_waiting, may_return, has_returned; /* atomic */

static void wait_inside(const struct hak_profile_sample *sample, void *argument) {
    if (sample->block_size < 100000) return;
    (void)argument;
    __atomic_store_n(&is_waiting, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&may_return, __ATOMIC_ACQUIRE) == 0) {
    }
    __atomic_store_n(&has_returned, 1, __ATOMIC_RELAXED); /* whoever unset the hooks sees it, without more */
}

/* One thread is in a hook, one takes it away, and the third lets the first go on once the second has begun. */
static void unset_while_one_is_inside(void *argument, unsigned index) {
    (void)argument;
    if (index == 0) {
        hak_free(hak_alloc(200000));
        return;
    }
    while (__atomic_load_n(&is_waiting, __ATOMIC_ACQUIRE) == 0) {
    }
    if (index == 1) {
        HAK_EXPECT_EQ(hak_profile_set_hooks(NULL), 0);
        HAK_EXPECT_EQ(__atomic_load_n(&has_returned, __ATOMIC_RELAXED), 1);
        return;
    }
    while (hooks_are_set()) {
    }
    __atomic_store_n(&may_return, 1, __ATOMIC_RELEASE);
}

HAK_TEST(Hooks, WhoTakesThemAwayWaitsForThoseInside) {
    const struct hak_profile_hooks hooks = {.sampled = wait_inside};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(&hooks) == 0);
    threads_run(3, unset_while_one_is_inside, NULL);
    hak_profile_stop();
    is_waiting = may_return = has_returned = 0;
}

/* The child does not have the thread that is in a hook while the other one forks. */
static void child_changes_hooks(void) {
    struct told told = {0};
    HAK_EXPECT_EQ(hak_profile_set_hooks(hooks_of(&told)), 0);
    hak_free(hak_alloc(100));
    HAK_EXPECT_EQ(told.sampled, 1);
    HAK_EXPECT_EQ(told.freed, 1);
    HAK_EXPECT_EQ(hak_profile_set_hooks(NULL), 0);
}

static void fork_while_one_is_inside(void *argument, unsigned index) {
    (void)argument;
    if (index == 0) {
        hak_free(hak_alloc(200000));
        return;
    }
    while (__atomic_load_n(&is_waiting, __ATOMIC_ACQUIRE) == 0) {
    }
    HAK_EXPECT_EXIT_OK(child_changes_hooks());
    __atomic_store_n(&may_return, 1, __ATOMIC_RELEASE);
}

HAK_TEST(Hooks, AChildChangesThemThoughItsParentsThreadIsInOne) {
    const struct hak_profile_hooks hooks = {.sampled = wait_inside};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(&hooks) == 0);
    threads_run(2, fork_while_one_is_inside, NULL);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    hak_profile_stop();
}

static void fork_inside(const struct hak_profile_sample *sample, void *argument) {
    (void)sample;
    (void)argument;
    HAK_EXPECT_EXIT_OK(hak_free(hak_alloc(100)));
}

HAK_TEST(Hooks, AHookMayFork) {
    const struct hak_profile_hooks hooks = {.sampled = fork_inside};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(&hooks) == 0);
    hak_free(hak_alloc(100));
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    hak_profile_stop();
}
