/* SPDX-License-Identifier: MIT */
/* The experiments `learn` and `capacity=site` together: a learner for each of the places in the program that cause refills. */
#include <stdlib.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/ladder/learn.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/thread.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#if HAK_LEARN

/* A class whose magazines begin with less room than they may have. */
#define SIZE 512
#define BLOCKS 400

enum { SHIPPED, LITTLE, LEAN, ROOMY };

static void *blocks[BLOCKS];

/* Two places. Were the loops the same, the compiler would make one function of both. */
static HAK_NOINLINE void here(void) {
    for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(SIZE);
}

static HAK_NOINLINE void there(void) {
    for (unsigned i = BLOCKS; i > 0; i--) blocks[i - 1] = hak_alloc(SIZE);
}

/* A place of another class, which causes the last slow path of malloc before the frees. */
static HAK_NOINLINE void elsewhere(void) {
    static void *others[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) others[i] = hak_alloc(4 * SIZE);
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(others[i]);
}

static void free_all(void) {
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}

static bool is_by_site(void) {
    const char *capacity = getenv("HAK_TEST_CAPACITY");
    return capacity != NULL && strcmp(capacity, "site") == 0;
}

static void body_places(void *argument, unsigned index) {
    const unsigned c = size_class_of(SIZE);
    struct ladder_learning *learning = exchange_learning(hak_thread_begin());
    (void)argument;
    (void)index;
    here();
    const struct ladder_learner *first = ladder_learner(learning, c);
    elsewhere();
    free_all();
    HAK_EXPECT(ladder_learner(learning, c) == first); /* frees are entered where the last refill was */
    there();
    HAK_EXPECT_EQ(ladder_learner(learning, c) != first, is_by_site());
    free_all();
    here();
    HAK_EXPECT(ladder_learner(learning, c) == first);
    free_all();
}

HAK_TEST(LearnSites, EachPlaceHasALearnerWhereTheBuildSaysSo) {
    if (getenv("HAK_TEST_CAPACITY") == NULL) HAK_SKIP("not run as a variant");
    threads_run(1, body_places, NULL);
}

/* For longer than the test runs. */
static void choose(struct ladder_learner *learner, uint8_t player) {
    learner->playing = learner->chosen = player;
    learner->turn = 0;
    learner->wait = UINT8_MAX;
}

static void body_own_players(void *argument, unsigned index) {
    const unsigned c = size_class_of(SIZE);
    struct ladder_learning *learning = exchange_learning(hak_thread_begin());
    (void)argument;
    (void)index;
    here();
    free_all();
    there();
    free_all();
    choose(&learning->learners[c][0], LITTLE);
    choose(&learning->learners[c][LADDER_LEARNERS > 1], ROOMY);
    for (unsigned round = 0; round < 3; round++) {
        here();
        HAK_EXPECT_EQ(exchange_capacity(hak_self, c), hak_exchange_first_room(c));
        free_all();
        there();
        HAK_EXPECT_EQ(exchange_capacity(hak_self, c), hak_exchange_most_room(c));
        free_all();
    }
}

HAK_TEST(LearnSites, MagazinesAreAsThePlaceWantsThemThatCausesARefill) {
    if (!is_by_site() || !ladder_room_varies()) HAK_SKIP("magazines are as the class's one learner wants them");
    HAK_EXPECT_LT(hak_exchange_first_room(size_class_of(SIZE)), hak_exchange_most_room(size_class_of(SIZE)));
    threads_run(1, body_own_players, NULL);
}

/* A class of a thread that does not exist, whose slow paths two places cause in turn. Each wants another player. */
static struct ladder_learning imagined;
static const char places[2 * LADDER_LEARNERS + 2];

static void imagine(const unsigned best[2], unsigned events) {
    for (unsigned i = 0; i < events; i++) {
        (void)hak_ladder_event(&imagined, 1, &places[i % 2], 64, 0);
        const bool is_best = ladder_learner(&imagined, 1)->playing == best[i % 2];
        hak_ladder_charge(&imagined, 1, LADDER_WORK_FLUSH_BLOCK, is_best ? 10 : 20);
    }
}

HAK_TEST(LearnSites, EachPlaceFindsItsOwnPlayer) {
    const unsigned best[2] = {LEAN, ROOMY};
    hak_ladder_learning_begin(&imagined);
    imagine(best, 60000);
    if (is_by_site()) {
        HAK_EXPECT_EQ(imagined.learners[1][0].chosen, LEAN);
        HAK_EXPECT_EQ(imagined.learners[1][LADDER_LEARNERS > 1].chosen, ROOMY);
    }
    struct ladder_learned sum = {0};
    hak_ladder_add_learned(&sum, &imagined, 1);
    uint64_t matches = 0;
    for (unsigned site = 0; site < LADDER_LEARNERS; site++) matches += imagined.learners[1][site].matches;
    HAK_EXPECT_EQ(sum.matches, matches);
    HAK_EXPECT_GT(matches, sum.most / 2);
}

/* What was held up to a slow path is the affair of the place before. */
HAK_TEST(LearnSites, WhatIsHeldIsEnteredWhereItWasTaken) {
    if (!is_by_site()) HAK_SKIP("a class has one learner");
    hak_ladder_learning_begin(&imagined);
    (void)hak_ladder_event(&imagined, 1, &places[0], 64, 0);
    (void)hak_ladder_event(&imagined, 1, &places[1], 64, 1u << LADDER_COST_SHIFT);
    HAK_EXPECT_EQ(imagined.learners[1][0].cost, (uint64_t)64 << LADDER_COST_SHIFT);
    HAK_EXPECT_EQ(imagined.learners[1][0].operations, 64);
    (void)hak_ladder_event(&imagined, 1, NULL, 32, 1u << LADDER_COST_SHIFT);
    HAK_EXPECT_EQ(imagined.learners[1][0].operations, 64);
    HAK_EXPECT_EQ(imagined.learners[1][LADDER_LEARNERS > 1].operations, 32);
}

/* However many there are: the last learner is of all for which there is none. */
HAK_TEST(LearnSites, MorePlacesThanLearnersShareTheLast) {
    hak_ladder_learning_begin(&imagined);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 2 * LADDER_LEARNERS; i++) {
            (void)hak_ladder_event(&imagined, 1, &places[i], 64, 0);
            const unsigned own = i + 1 < LADDER_LEARNERS ? i : LADDER_LEARNERS - 1;
            HAK_EXPECT(ladder_learner(&imagined, 1) == &imagined.learners[1][own]);
        }
    }
    hak_ladder_learning_begin(&imagined);
    (void)hak_ladder_event(&imagined, 1, &places[3], 64, 0);
    HAK_EXPECT(ladder_learner(&imagined, 1) == &imagined.learners[1][0]); /* another thread's places are forgotten */
}

#endif
