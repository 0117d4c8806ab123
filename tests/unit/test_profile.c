/* The sampling profile: what is sampled, that it is seen again, and that the estimates are unbiased. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "hakmem/profile/chance.h"
#include "hakmem/profile/profile.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/threads.h"

#define MIB ((size_t)1 << 20)

/* Names of sites: addresses of nothing else. */
static const char sites[64];
#define SITE(index) ((const void *)&sites[index])

struct sum {
    const void *site;
    double allocations, live;             /* estimates */
    uint64_t samples, live_samples;
};

static void add(const struct hak_profile_entry *entry, void *argument) {
    struct sum *sum = (struct sum *)argument;
    if (sum->site != NULL && entry->site != sum->site) return;
    sum->samples += entry->allocations;
    sum->live_samples += entry->live;
    sum->allocations += (double)entry->allocations * entry->scale;
    sum->live += (double)entry->live * entry->scale;
}

/* Of one site, or of all. */
static struct sum sum_of(const void *site) {
    struct sum sum = {.site = site};
    hak_profile_read(add, &sum);
    return sum;
}

/* ---- Every block --------------------------------------------------------------------------------------- */

HAK_TEST(Profile, EveryBlockOfEveryPoolIsSeenAndSeenAgain) {
    void *blocks[CENSUS_SIZE_COUNT];
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    const uint64_t live = census_live_blocks(), allocations = census_allocations(), frees = census_frees();
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        const struct sum before = sum_of(SITE(i));
        blocks[i] = hak_alloc_at(census_sizes[i], SITE(i));
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        HAK_EXPECT_EQ(sum_of(SITE(i)).samples, before.samples + 1);
        HAK_EXPECT_EQ(sum_of(SITE(i)).live_samples, 1);
        HAK_EXPECT(hak_usable_size(blocks[i]) >= census_sizes[i]);
        HAK_EXPECT_PTR_EQ(profile_site_of(blocks[i]), SITE(i));
        pattern_mark_pages(blocks[i], census_sizes[i], i);
    }
    HAK_EXPECT_EQ(census_live_blocks(), live + CENSUS_SIZE_COUNT);
    CENSUS_EXPECT_ALLOCATIONS(allocations, census_allocations(), CENSUS_SIZE_COUNT);
    CENSUS_EXPECT_CONSISTENT();
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        HAK_EXPECT(pattern_pages_hold(blocks[i], census_sizes[i], i));
        hak_free(blocks[i]);
        HAK_EXPECT_EQ(sum_of(SITE(i)).live_samples, 0);
    }
    HAK_EXPECT_EQ(profile_live_count(), 0);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    if (census_all().exact) HAK_EXPECT_EQ(census_frees(), frees + CENSUS_SIZE_COUNT);
    CENSUS_EXPECT_CONSISTENT();
    hak_profile_stop();
}

HAK_TEST(Profile, OwnerKnowsASampledBlockAtAnyAddressInIt) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
        char *p = (char *)hak_alloc(census_sizes[i]);
        const size_t usable = hak_usable_size(p);
        const size_t offsets[] = {0, 1, usable / 2, usable - 1};
        for (unsigned k = 0; k < 4; k++) {
            struct hak_owner_info info;
            HAK_ASSERT_TRUE(hak_owner(p + offsets[k], &info));
            HAK_EXPECT_PTR_EQ(info.block, p);
            HAK_EXPECT_EQ(info.block_size, usable);
        }
        HAK_EXPECT_EQ(hak_usable_size(p + 1), 0);
        hak_free(p);
    }
    hak_profile_stop();
}

HAK_TEST(Profile, CallocOfASampledBlockReadsZero) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < CENSUS_SIZE_COUNT; i++) {
            unsigned char *p = (unsigned char *)hak_calloc(1, census_sizes[i]);
            HAK_ASSERT_TRUE(p != NULL);
            size_t wrong = 0;
            for (size_t k = 0; k < census_sizes[i]; k++) wrong += p[k] != 0;
            HAK_EXPECT_EQ(wrong, 0);
            memset(p, 0xa5, census_sizes[i]);
            hak_free(p);
        }
    }
    hak_profile_stop();
}

HAK_TEST(Profile, ReallocKeepsTheContentThroughAllPools) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    const uint64_t live = census_live_blocks();
    void *p = hak_alloc(16);
    pattern_mark_pages(p, 16, 5);
    size_t size = 16;
    for (unsigned step = 0; step < 2 * CENSUS_SIZE_COUNT; step++) {
        const size_t wanted = census_sizes[step < CENSUS_SIZE_COUNT ? step : 2 * CENSUS_SIZE_COUNT - 1 - step] + 16;
        p = hak_realloc(p, wanted);
        HAK_ASSERT_TRUE(p != NULL);
        HAK_EXPECT(pattern_pages_hold(p, wanted < size ? wanted : size, 5));
        pattern_mark_pages(p, wanted, 5);
        size = wanted;
        HAK_EXPECT_EQ(profile_live_count(), 1);
        HAK_EXPECT_EQ(census_live_blocks(), live + 1);
    }
    HAK_EXPECT_PTR_EQ(hak_realloc(p, 0), NULL);
    HAK_EXPECT_EQ(profile_live_count(), 0);
    hak_profile_stop();
}

HAK_TEST(Profile, SecondFreeOfASampledBlockIsReported) {
    static const size_t sizes[] = {40, 5000, 300000, 3 * MIB};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < 4; i++) {
        void *p = hak_alloc(sizes[i]);
        void *neighbour = hak_alloc(sizes[i]);
        hak_free(p);
        HAK_EXPECT_DEATH(hak_free(p), "hakmem: free\\(0x[0-9a-f]+\\): ");
        HAK_EXPECT_DEATH(hak_free((char *)neighbour + 8), "hakmem: free\\(0x[0-9a-f]+\\): interior pointer");
        hak_free(neighbour);
    }
    hak_profile_stop();
}

/* The return address stands for the call. */
__attribute__((noinline)) static void *call_alloc(size_t size) {
    void *p = hak_alloc(size);
    __asm__ volatile("" : : "r"(p) : "memory"); /* no jump to hak_alloc */
    return p;
}
__attribute__((noinline)) static void *call_calloc(size_t size) {
    void *p = hak_calloc(1, size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}
__attribute__((noinline)) static void *call_realloc(size_t size) {
    void *p = hak_realloc(hak_alloc_at(size / 2 + 1, SITE(0)), size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}
__attribute__((noinline)) static void *call_aligned(size_t size) {
    void *p = hak_aligned_alloc(64, size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

HAK_TEST(Profile, SiteIsTheProgramsCall) {
    void *(*const calls[])(size_t) = {call_alloc, call_calloc, call_realloc, call_aligned};
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    HAK_SKIP("an instrumented library calls where it would jump, so the return address is its own");
#endif
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 1; k < CENSUS_SIZE_COUNT; k++) {
            void *p = calls[i](census_sizes[k]);
            const uintptr_t distance = (uintptr_t)profile_site_of(p) - (uintptr_t)calls[i];
            /* Such a function is some dozens of bytes long. A realloc that stays within its block is no new call. */
            if (profile_site_of(p) != SITE(0)) HAK_EXPECT_LT(distance, 100);
            hak_free(p);
        }
    }
    hak_profile_stop();
}

HAK_TEST(Profile, RateIsChecked) {
    HAK_EXPECT_EQ(hak_profile_start((size_t)1 << 41), EINVAL);
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    void *p = hak_alloc(100);
    HAK_EXPECT_EQ(hak_profile_start(4096), EBUSY);
    hak_free(p);
    HAK_EXPECT_EQ(hak_profile_start(4096), 0);
    HAK_EXPECT_EQ(sum_of(NULL).samples, 0);
    hak_profile_stop();
}

/* ---- Chance -------------------------------------------------------------------------------------------- */

HAK_TEST(Profile, ChanceIsThatOfThePoissonProcess) {
    const uint64_t rates[] = {1, 2, 100, 4096, 524288, (uint64_t)1 << 40};
    for (unsigned r = 0; r < 6; r++) {
        for (uint64_t size = 8; size < (uint64_t)1 << 44; size = size * 3 / 2) {
            const double wanted = rates[r] == 1 ? 1 : -expm1(-(double)size / (double)rates[r]);
            HAK_EXPECT(fabs(chance_of(size, rates[r]) / wanted - 1) < 1e-12);
        }
    }
}

HAK_TEST(Profile, PassedOverBlocksAreGeometric) {
    const uint64_t draws = HAK_TEST_SCALE(400000);
    for (uint64_t size = 16; size <= 65536; size *= 8) {
        const double p = chance_of(size, 4096), q = 1 - p;
        uint64_t state = size * 77 + 1, none = 0;
        double sum = 0;
        for (uint64_t i = 0; i < draws; i++) {
            const uint64_t passed = chance_until_next(&state, size, 4096);
            sum += (double)passed;
            none += passed == 0;
        }
        /* Mean q/p and variance q/p^2; none is passed over with probability p. Five standard deviations. */
        const double n = (double)draws;
        HAK_EXPECT(fabs(sum - n * q / p) <= 5 * sqrt(n * q) / p);
        HAK_EXPECT(fabs((double)none - n * p) <= 5 * sqrt(n * p * q));
    }
}

/* ---- Estimates ----------------------------------------------------------------------------------------- */

#define RATE 4096
#define KINDS 6
static const struct kind {
    size_t size;
    unsigned blocks; /* a thread */
} kinds[KINDS] = {{16, 6000}, {200, 2000}, {1000, 500}, {4000, 300}, {20000, 60}, {100000, 20}};

#define TRIAL_THREADS 3

struct trial {
    uint64_t seed;
    void *kept[TRIAL_THREADS][KINDS][6000];
    uint64_t made[TRIAL_THREADS][KINDS], live[TRIAL_THREADS][KINDS];
};

/* Bursts, pairs and flushes at random: each is another way of a block through the magazines. */
static void trial_in_thread(void *argument, unsigned index) {
    struct trial *trial = (struct trial *)argument;
    uint64_t state = trial->seed * 1000 + index + 1;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        void **kept = trial->kept[index][kind];
        uint64_t live = 0;
        unsigned left = kinds[kind].blocks;
        while (left > 0) {
            const uint64_t random = random_xorshift64(&state);
            const unsigned burst = 1 + (unsigned)(random >> 8) % 200;
            for (unsigned i = 0; i < burst && left > 0; i++, left--) {
                kept[live++] = hak_alloc_at(kinds[kind].size, SITE(kind));
            }
            const uint64_t to = random % 3 == 0 ? live / 2 : live - live % 10;
            while (live > to) hak_free(kept[--live]);
            if (random % 64 == 0) hak_thread_flush();
        }
        trial->made[index][kind] = kinds[kind].blocks;
        trial->live[index][kind] = live;
    }
}

static void trial_free_in_thread(void *argument, unsigned index) {
    struct trial *trial = (struct trial *)argument;
    /* What the neighbour left. */
    const unsigned other = (index + 1) % TRIAL_THREADS;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (uint64_t i = 0; i < trial->live[other][kind]; i++) hak_free(trial->kept[other][kind][i]);
    }
}

/* The sum of errors in standard deviations, and of their squares, over all trials. */
struct errors {
    double made, made_squares, live, naive;
    unsigned trials;
};

static void judge(const struct trial *trial, unsigned kind, const struct sum *before, size_t usable,
                  struct errors *errors) {
    double made = 0, live = 0;
    for (unsigned i = 0; i < TRIAL_THREADS; i++) {
        made += (double)trial->made[i][kind];
        live += (double)trial->live[i][kind];
    }
    const struct sum after = sum_of(SITE(kind));
    const double p = chance_of(usable, RATE);
    /* Each block is sampled with probability p and then counts 1/p. */
    const double deviation = sqrt((1 - p) / p);
    const double z = (after.allocations - before->allocations - made) / (deviation * sqrt(made));
    errors->made += z;
    errors->made_squares += z * z;
    if (live > 0) errors->live += (after.live - live) / (deviation * sqrt(live));
    /* As if a sample stood for `rate` bytes: right for small blocks only. */
    const double naive = (double)(after.samples - before->samples) * RATE / (double)usable;
    errors->naive += (naive - made) / (deviation * sqrt(made));
    errors->trials++;
}

HAK_TEST(Profile, EstimatesAreUnbiased) {
    static struct trial trial;
    const unsigned trials = HAK_TEST_SCALE(60);
    struct errors errors[KINDS] = {{0}};
    HAK_ASSERT_TRUE(hak_profile_start(RATE) == 0);
    for (unsigned round = 0; round < trials; round++) {
        struct sum before[KINDS];
        for (unsigned kind = 0; kind < KINDS; kind++) before[kind] = sum_of(SITE(kind));
        trial.seed = round + 1;
        profile_seed(trial.seed);
        threads_run(TRIAL_THREADS, trial_in_thread, &trial);
        for (unsigned kind = 0; kind < KINDS; kind++) {
            void *p = hak_alloc_at(kinds[kind].size, SITE(63));
            judge(&trial, kind, &before[kind], hak_usable_size(p), &errors[kind]);
            hak_free(p);
        }
        threads_run(TRIAL_THREADS, trial_free_in_thread, &trial);
        HAK_EXPECT_EQ(profile_live_count(), 0);
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const struct errors *e = &errors[kind];
        const double n = e->trials;
        HAK_EXPECT(fabs(e->made / sqrt(n)) < 4);
        HAK_EXPECT(fabs(e->live / sqrt(n)) < 4);
#if !defined(HAK_TEST_TSAN) && !defined(HAK_TEST_ASAN)
        /* Squares of normal errors: mean 1, variance 2. Another variance is another process than Poisson's. Where nearly
         * every block is sampled, the errors are not normal. */
        if (chance_of(kinds[kind].size, RATE) < 0.9) {
            HAK_EXPECT(fabs(e->made_squares - n) < 5 * sqrt(2 * n));
        }
        /* That this test would see a wrong scale. */
        if (kinds[kind].size >= 4000) HAK_EXPECT(fabs(e->naive / sqrt(n)) > 4);
#endif
    }
    CENSUS_EXPECT_CONSISTENT();
    hak_profile_stop();
}

/* Blocks that stay in no magazine, and huge ones, which are sampled one by one. */
HAK_TEST(Profile, EstimatesOfLargeBlocksAreUnbiased) {
    static const size_t sizes[] = {40000, 300000, 600000, MIB, 2 * MIB};
    const unsigned blocks = HAK_TEST_SCALE(3000);
    const uint64_t rate = 4 * MIB;
    HAK_ASSERT_TRUE(hak_profile_start(rate) == 0);
    profile_seed(4);
    for (unsigned k = 0; k < 5; k++) {
        const struct sum before = sum_of(SITE(40 + k));
        size_t usable = 0;
        for (unsigned i = 0; i < blocks; i++) {
            void *p = hak_alloc_at(sizes[k], SITE(40 + k));
            usable = hak_usable_size(p);
            hak_free(p);
        }
        const double p = chance_of(usable, rate), n = blocks;
        const struct sum after = sum_of(SITE(40 + k));
        HAK_EXPECT(fabs(after.allocations - before.allocations - n) < 4 * sqrt(n * (1 - p) / p));
        HAK_EXPECT_EQ(after.live_samples, 0);
    }
    hak_profile_stop();
}

/* ---- Threads and processes ----------------------------------------------------------------------------- */

#define SWARM 8
static void *mailbox[SWARM][64]; /* atomic */

static void swarm(void *argument, unsigned index) {
    uint64_t state = index + 1;
    (void)argument;
    for (unsigned i = 0; i < HAK_TEST_SCALE(20000); i++) {
        const uint64_t random = random_xorshift64(&state);
        void **slot = &mailbox[random % SWARM][(random >> 8) % 64];
        void *p = hak_alloc(census_sizes[(random >> 16) % (CENSUS_SIZE_COUNT - 3)]);
        if (random >> 40 & 1) p = hak_realloc(p, (random >> 42) % 3000 + 1);
        /* Acquire-release of the exchange: who frees the block sees it whole. */
        hak_free(__atomic_exchange_n(slot, p, __ATOMIC_ACQ_REL));
        if (index == 0 && i % 256 == 0) (void)hak_profile_read(add, &(struct sum){0});
    }
}

static void empty_mailboxes(void) {
    for (unsigned i = 0; i < SWARM; i++) {
        for (unsigned k = 0; k < 64; k++) {
            hak_free(mailbox[i][k]);
            mailbox[i][k] = NULL;
        }
    }
}

HAK_TEST(Profile, NoBlockIsLostBetweenThreads) {
    const uint64_t live = census_live_blocks();
    const uint64_t rates[] = {1, 300, 100000};
    for (unsigned i = 0; i < 3; i++) {
        HAK_ASSERT_TRUE(hak_profile_start(rates[i]) == 0);
        threads_run(SWARM, swarm, NULL);
        CENSUS_EXPECT_CONSISTENT();
        empty_mailboxes();
        HAK_EXPECT_EQ(profile_live_count(), 0);
        HAK_EXPECT_EQ(census_live_blocks(), live);
        HAK_EXPECT(sum_of(NULL).samples > 0);
    }
    hak_profile_stop();
}

static void child_goes_on(void) {
    const uint64_t live = profile_live_count();
    void *p = hak_alloc_at(100, SITE(50));
    HAK_EXPECT_EQ(profile_live_count(), live + 1);
    hak_free(p);
    empty_mailboxes();
    HAK_EXPECT_EQ(profile_live_count(), 0);
    HAK_EXPECT(hak_profile_write("/dev/null") == 0);
}

HAK_TEST(Profile, AChildGoesOnWithWhatTheParentHad) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < 64; i++) mailbox[0][i] = hak_alloc_at(1 + 100 * i, SITE(51));
    HAK_EXPECT_EXIT_OK(child_goes_on());
    HAK_EXPECT_EQ(profile_live_count(), 64);
    HAK_EXPECT_EQ(sum_of(SITE(50)).samples, 0);
    empty_mailboxes();
    hak_profile_stop();
}

static void stop_while_others_run(void *argument, unsigned index) {
    if (index != 0) {
        swarm(argument, index);
        return;
    }
    for (unsigned i = 0; i < 200; i++) {
        hak_profile_stop();
        (void)hak_profile_start(64);
    }
}

HAK_TEST(Profile, MayBeStoppedAndStartedAtAnyTime) {
    const uint64_t live = census_live_blocks();
    HAK_ASSERT_TRUE(hak_profile_start(64) == 0);
    threads_run(4, stop_while_others_run, NULL);
    hak_profile_stop();
    const uint64_t samples = sum_of(NULL).samples;
    hak_free(hak_alloc(500000));
    HAK_EXPECT_EQ(sum_of(NULL).samples, samples);
    empty_mailboxes();
    HAK_EXPECT_EQ(profile_live_count(), 0);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- Off ----------------------------------------------------------------------------------------------- */

HAK_TEST_ISOLATED(ProfileOff, ThereIsNothingToRead, "") {
    hak_free(hak_alloc(100000));
    HAK_EXPECT_EQ(hak_profile_read(add, &(struct sum){0}), 0);
    HAK_EXPECT_EQ(hak_profile_write("/dev/null"), ENODATA);
}
