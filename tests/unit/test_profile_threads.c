/* SPDX-License-Identifier: MIT */
/* The sampling profile among threads and processes, and while it is stopped and started. */
#include <stdint.h>
#include <unistd.h>

#include "hakmem/base/random.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"
#include "tests/unit/profile_sum.h"

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
        if (index == 0 && i % 256 == 0) (void)hak_profile_read(sum_add, &(struct sum){0});
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
        HAK_EXPECT_EQ(hak_profile_live_count(), 0);
        HAK_EXPECT_EQ(census_live_blocks(), live);
        HAK_EXPECT(sum_of(NULL).samples > 0);
    }
    hak_profile_stop();
}

static uint64_t numbers[SWARM];

/* A block with a site of the thread's own, and the number that the statistics have of the thread. */
static void allocate_alone(void *argument, unsigned index) {
    struct hak_thread_stats threads[4 * SWARM];
    (void)argument;
    mailbox[0][index] = hak_alloc_at(100, SITE(index));
    const size_t count = hak_stats_get_threads(threads, 4 * SWARM);
    for (size_t i = 0; i < count && i < 4 * SWARM; i++) {
        if (threads[i].tid == (uint64_t)gettid()) numbers[index] = threads[i].number;
    }
}

HAK_TEST(Profile, TellsWhichThreadAllocated) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    threads_run(SWARM, allocate_alone, NULL);
    for (unsigned i = 0; i < SWARM; i++) {
        HAK_EXPECT(numbers[i] != 0);
        HAK_EXPECT_EQ(sum_of(SITE(i)).thread, numbers[i]);
    }
    hak_profile_stop();
    empty_mailboxes();
}

static void child_goes_on(void) {
    const uint64_t live = hak_profile_live_count();
    void *p = hak_alloc_at(100, SITE(50));
    HAK_EXPECT_EQ(hak_profile_live_count(), live + 1);
    hak_free(p);
    empty_mailboxes();
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    HAK_EXPECT(hak_profile_write("/dev/null") == 0);
}

HAK_TEST(Profile, AChildGoesOnWithWhatTheParentHad) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < 64; i++) mailbox[0][i] = hak_alloc_at(1 + 100 * i, SITE(51));
    HAK_EXPECT_EXIT_OK(child_goes_on());
    HAK_EXPECT_EQ(hak_profile_live_count(), 64);
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
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}
