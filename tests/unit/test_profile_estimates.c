/* SPDX-License-Identifier: MIT */
/* The sampling profile: chance is that of a Poisson process, and the estimates are unbiased. */
#include <math.h>
#include <stdint.h>

#include "hakmem/base/random.h"
#include "hakmem/sample/chance.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"
#include "tests/unit/profile_sum.h"

#define MIB ((size_t)1 << 20)

/* ---- Chance -------------------------------------------------------------------------------------------- */

HAK_TEST(Profile, ChanceIsThatOfThePoissonProcess) {
    const uint64_t rates[] = {1, 2, 100, 4096, 524288, (uint64_t)1 << 40};
    for (unsigned r = 0; r < 6; r++) {
        for (uint64_t size = 8; size < (uint64_t)1 << 44; size = size * 3 / 2) {
            const double wanted = rates[r] == 1 ? 1 : -expm1(-(double)size / (double)rates[r]);
            HAK_EXPECT(fabs(hak_chance_of(size, rates[r]) / wanted - 1) < 1e-12);
        }
    }
}

HAK_TEST(Profile, PassedOverBlocksAreGeometric) {
    const uint64_t draws = HAK_TEST_SCALE(400000);
    for (uint64_t size = 16; size <= 65536; size *= 8) {
        const double p = hak_chance_of(size, 4096), q = 1 - p;
        uint64_t state = size * 77 + 1, none = 0;
        double sum = 0;
        for (uint64_t i = 0; i < draws; i++) {
            const uint64_t passed = hak_chance_until_next(&state, size, 4096);
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

/* Of the estimates of numbers of blocks, over all trials. */
struct errors {
    double made, made_variance, live, live_variance;
    double sample;              /* blocks that one sample counts for */
    double made_squares, naive; /* in standard deviations of each trial */
    unsigned trials;
};

static void judge(double made, double live, unsigned kind, uint64_t rate, const struct sum *before,
                  struct errors *errors) {
    void *block = hak_alloc_at(kinds[kind].size, SITE(63));
    const size_t usable = hak_usable_size(block);
    hak_free(block);
    const struct sum after = sum_of(SITE(kind));
    const double p = hak_chance_of(usable, rate);
    /* Each block is sampled with probability p and then counts 1/p. */
    const double variance = (1 - p) / p, error = after.allocations - before->allocations - made;
    errors->sample = 1 / p;
    errors->made += error;
    errors->made_variance += variance * made;
    errors->made_squares += error * error / (variance * made);
    errors->live += after.live - live;
    errors->live_variance += variance * live;
    /* As if a sample stood for `rate` bytes: right for small blocks only. */
    const double naive = (double)(after.samples - before->samples) * (double)rate / (double)usable;
    errors->naive += (naive - made) / sqrt(variance * made);
    errors->trials++;
}

/* Bernstein's inequality: a sum of independent 0s and 1s is farther from its mean than five standard deviations and 25/6 once in
 * 130,000 times at most, also where so few blocks are not sampled that the errors are nothing like normal. */
static bool is_unbiased(double error, double variance, double sample) {
    return fabs(error) < 5 * sqrt(variance) + 25.0 / 6 * sample;
}

static void expect_unbiased(const struct errors *errors) {
    HAK_EXPECT(is_unbiased(errors->made, errors->made_variance, errors->sample));
    HAK_EXPECT(is_unbiased(errors->live, errors->live_variance, errors->sample));
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
        hak_profile_seed(trial.seed);
        threads_run(TRIAL_THREADS, trial_in_thread, &trial);
        for (unsigned kind = 0; kind < KINDS; kind++) {
            uint64_t made = 0, live = 0;
            for (unsigned i = 0; i < TRIAL_THREADS; i++) {
                made += trial.made[i][kind];
                live += trial.live[i][kind];
            }
            judge((double)made, (double)live, kind, RATE, &before[kind], &errors[kind]);
        }
        threads_run(TRIAL_THREADS, trial_free_in_thread, &trial);
        HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const struct errors *e = &errors[kind];
        expect_unbiased(e);
#if !defined(HAK_TEST_TSAN) && !defined(HAK_TEST_ASAN)
        const double n = e->trials;
        /* Squares of normal errors: mean 1, variance 2. Another variance is another process than Poisson's. Where nearly
         * every block is sampled, the errors are not normal. The sum of 60 is skewed: it is above this range once in 680,000
         * times, and below less often. */
        if (hak_chance_of(kinds[kind].size, RATE) < 0.9) {
            HAK_EXPECT(e->made_squares > n - 4 * sqrt(2 * n));
            HAK_EXPECT(e->made_squares < n + 6 * sqrt(2 * n));
        }
        /* That this test would see a wrong scale. */
        if (kinds[kind].size >= 4000) HAK_EXPECT(fabs(e->naive / sqrt(n)) > 4);
#endif
    }
    CENSUS_EXPECT_CONSISTENT();
    hak_profile_stop();
}

#define PASSERS 4
#define PASSED 256
static unsigned char *passed_on[PASSED]; /* atomic; each block's first byte is its kind */

struct passing {
    uint64_t seed;
    uint64_t made[PASSERS][KINDS], freed[PASSERS][KINDS];
};

/* All kinds at once; most blocks are freed by another thread than theirs. */
static void pass_in_thread(void *argument, unsigned index) {
    struct passing *passing = (struct passing *)argument;
    uint64_t state = random_mix(passing->seed * PASSERS + index) | 1;
    for (unsigned i = 0; i < 10000; i++) {
        const uint64_t random = random_xorshift64(&state);
        const unsigned kind = (unsigned)(random >> 40) % KINDS;
        unsigned char *p = (unsigned char *)hak_alloc_at(kinds[kind].size, SITE(kind));
        *p = (unsigned char)kind;
        passing->made[index][kind]++;
        /* Acquire-release: who frees the block sees its kind. */
        p = __atomic_exchange_n(&passed_on[random % PASSED], p, __ATOMIC_ACQ_REL);
        if (p != NULL) passing->freed[index][*p]++;
        hak_free(p);
    }
}

HAK_TEST(Profile, EstimatesAreUnbiasedWhereThreadsFreeEachOthersBlocks) {
    static struct passing passing;
    struct errors errors[KINDS] = {{0}};
    HAK_ASSERT_TRUE(hak_profile_start(8 * RATE) == 0);
    for (unsigned round = 0; round < HAK_TEST_SCALE(20); round++) {
        struct sum before[KINDS];
        for (unsigned kind = 0; kind < KINDS; kind++) before[kind] = sum_of(SITE(kind));
        passing = (struct passing){.seed = round + 1};
        hak_profile_seed(passing.seed);
        threads_run(PASSERS, pass_in_thread, &passing);
        for (unsigned kind = 0; kind < KINDS; kind++) {
            uint64_t made = 0, freed = 0;
            for (unsigned i = 0; i < PASSERS; i++) {
                made += passing.made[i][kind];
                freed += passing.freed[i][kind];
            }
            judge((double)made, (double)(made - freed), kind, 8 * RATE, &before[kind], &errors[kind]);
        }
        for (unsigned i = 0; i < PASSED; i++) {
            hak_free(passed_on[i]);
            passed_on[i] = NULL;
        }
        HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    }
    for (unsigned kind = 0; kind < KINDS; kind++) expect_unbiased(&errors[kind]);
    CENSUS_EXPECT_CONSISTENT();
    hak_profile_stop();
}

/* Blocks that stay in no magazine, and huge ones, which are sampled one by one. */
HAK_TEST(Profile, EstimatesOfLargeBlocksAreUnbiased) {
    static const size_t sizes[] = {40000, 300000, 600000, MIB, 2 * MIB};
    const unsigned blocks = HAK_TEST_SCALE(3000);
    const uint64_t rate = 4 * MIB;
    HAK_ASSERT_TRUE(hak_profile_start(rate) == 0);
    hak_profile_seed(4);
    for (unsigned k = 0; k < 5; k++) {
        const struct sum before = sum_of(SITE(40 + k));
        size_t usable = 0;
        for (unsigned i = 0; i < blocks; i++) {
            void *p = hak_alloc_at(sizes[k], SITE(40 + k));
            usable = hak_usable_size(p);
            hak_free(p);
        }
        const double p = hak_chance_of(usable, rate), n = blocks;
        const struct sum after = sum_of(SITE(40 + k));
        HAK_EXPECT(fabs(after.allocations - before.allocations - n) < 4 * sqrt(n * (1 - p) / p));
        HAK_EXPECT_EQ(after.live_samples, 0);
    }
    hak_profile_stop();
}
