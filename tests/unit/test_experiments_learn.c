/* SPDX-License-Identifier: MIT */
/* The experiment `learn`: that players play as they should, that the best one is found, and that the same calls lead to the same
 * choices. What the variant is named for comes from the environment, as in test_experiments.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/ladder/learn.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/share.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

/* A class whose magazines begin with less room than they may have. */
#define SIZE 512
#define BLOCKS 2000

static void bursts(unsigned rounds) {
    static void *blocks[BLOCKS];
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(SIZE);
        for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    }
}

static void body_bursts(void *argument, unsigned index) {
    (void)index;
    bursts(*(const unsigned *)argument);
}

/* The statistics as JSON, cut. */
static const char *statistics(void) {
    static char text[65536];
    FILE *file = tmpfile();
    HAK_EXPECT_EQ(hak_stats_write(fileno(file), HAK_STATS_JSON), 0);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

HAK_TEST(Learn, StatisticsSayWhatWasLearnedWhereItIsAsked) {
    const char *value = getenv("HAK_TEST_LEARN");
    if (value == NULL) HAK_SKIP("not run as a variant");
    unsigned rounds = 100;
    threads_run(1, body_bursts, &rounds);
    const bool learns = strcmp(value, "elo") == 0;
    HAK_EXPECT_EQ(strstr(statistics(), "\"learning\":{\"operations\":") != NULL, learns);
    HAK_EXPECT_EQ(strstr(statistics(), "\"player\":\"") != NULL, learns);
    HAK_EXPECT_EQ(strstr(statistics(), "\"matches\":") != NULL, learns);
    HAK_EXPECT_EQ(ladder_learning_bytes() != 0, learns);
}

static void body_reads_or_begins(void *argument, unsigned index) {
    unsigned rounds = 20;
    (void)argument;
    for (unsigned i = 0; i < 20; i++) {
        if (index == 0) {
            (void)statistics();
        } else {
            threads_run(1, body_bursts, &rounds);
        }
    }
}

/* One after the other they have one record. ThreadSanitizer says where a reader's and a learner's accesses meet. */
HAK_TEST(Learn, StatisticsAreReadWhileThreadsBeginAndLearn) { threads_run(2, body_reads_or_begins, NULL); }

#if HAK_LEARN

/* Runs `body` in a child, which so begins as its siblings do; the result stays valid until the next call. */
static const struct process_result *run(void (*body)(void)) {
    static struct process_result result;
    struct process child;
    const pid_t pid = process_fork(&child);
    if (pid == 0) {
        body();
        fflush(stdout);
        _exit(0);
    }
    memset(&result, 0, sizeof result);
    HAK_EXPECT(pid > 0);
    if (pid > 0) process_finish(&child, &result);
    HAK_EXPECT(result.exited && result.code == 0);
    return &result;
}

static bool set(const char *name, const char *value) {
    for (unsigned i = 0; i < LADDER_OPTIONS; i++) {
        if (strcmp(hak_ladder_options[i].name, name) == 0) return hak_ladder_options[i].set(value);
    }
    return false;
}

static bool set_seed(const char *value) { return set("HAKMEM_LEARN_SEED", value); }
static bool set_player(const char *value) { return set("HAKMEM_LEARN_PLAYER", value); }

static unsigned class_of_size(void) { return size_class_of(SIZE); }

static const struct ladder_learner *learner(void) {
    return ladder_learner(exchange_learning(hak_self), class_of_size());
}

/* ---- Options ----------------------------------------------------------------------------------------- */

static void set_all(void) {
    static const char *const seeds[] = {"", "-1", "4294967296", "99999999999999999999", "1 ", "0x1", "one"};
    static const char *const players[] = {"", "Elo", "shipped ", "lean,roomy", "0"};
    for (unsigned i = 0; i < sizeof seeds / sizeof *seeds; i++) printf("%d", set_seed(seeds[i]));
    for (unsigned i = 0; i < sizeof players / sizeof *players; i++) printf("%d", set_player(players[i]));
    printf(" %d%d%d", set_seed("0"), set_seed("4294967295"), set_player("elo"));
    for (unsigned i = 0; i < LADDER_PLAYERS; i++) printf("%d", set_player(hak_ladder_players[i].name));
}

HAK_TEST(Learn, MalformedSeedsAndPlayersAreRefused) {
    HAK_EXPECT_STREQ(run(set_all)->output.bytes, "000000000000 1111111111");
}

/* ---- Players ----------------------------------------------------------------------------------------- */

/* A class with a stash of two magazines, which have all their room from the start. */
#define STASHED_SIZE 128
#define STASH 2

struct seen {
    uint32_t room_first, room, batch_first, batch, stashed;
    bool has_slab;
};

static void body_room(void *argument, unsigned index) {
    static void *blocks[2 * MAGAZINE_SLOTS];
    struct seen *seen = (struct seen *)argument;
    const unsigned c = size_class_of(SIZE), count = 2u * hak_classes[c].magazine;
    (void)index;
    hak_free(hak_alloc(SIZE));
    seen->room_first = exchange_capacity(hak_self, c);
    seen->batch_first = hak_self->classes[c].batch;
    for (unsigned i = 0; i < 3000; i++) hak_free(hak_alloc(SIZE)); /* the class is hot now */
    for (unsigned i = 0; i < count; i++) blocks[i] = hak_alloc(SIZE);
    seen->room = exchange_capacity(hak_self, c);
    seen->batch = hak_self->classes[c].batch;
    for (unsigned i = 0; i < count; i++) hak_free(blocks[i]);
}

static void body_stash(void *argument, unsigned index) {
    static void *blocks[(STASH + 2) * MAGAZINE_SLOTS];
    struct seen *seen = (struct seen *)argument;
    const unsigned c = size_class_of(STASHED_SIZE), count = (STASH + 1u) * hak_classes[c].magazine;
    (void)index;
    HAK_EXPECT_EQ(hak_classes[c].stash, STASH);
    for (unsigned i = 0; i < count; i++) blocks[i] = hak_alloc(STASHED_SIZE);
    for (unsigned i = 0; i < count; i++) hak_free(blocks[i]);
    seen->stashed = hak_self->classes[c].stashed;
    seen->has_slab = hak_self->classes[c].active[0] != NULL;
}

static const char *player_under_test;

static const char *named(uint32_t value, uint32_t least, const char *least_name, uint32_t most, const char *most_name) {
    return value == most ? most_name : value == least ? least_name : "between";
}

static void play(void) {
    struct seen seen;
    if (!set_player(player_under_test)) return;
    threads_run(1, body_room, &seen);
    threads_run(1, body_stash, &seen);
    const uint32_t most = hak_exchange_most_room(class_of_size()), first = hak_exchange_first_room(class_of_size());
    const uint32_t page = EXCHANGE_FIRST_BYTES / SIZE;
    printf("%s %s, %s %s, %u %s", named(seen.room_first, first, "first", most, "all"),
           named(seen.room, first, "first", most, "all"), named(seen.batch_first, page, "page", most / 2, "half"),
           seen.batch == page ? "page" : "more", (unsigned)seen.stashed, seen.has_slab ? "kept" : "gone");
}

HAK_TEST_ISOLATED(Learn, EachPlayerExchangesAsItsNameSays, "HAKMEM_PURGE_DELAY_MS=-1") {
    if (!ladder_room_varies()) HAK_SKIP("without P3 a magazine always has its whole room");
    /* Of three magazines of blocks, a refill of half a magazine leaves that half in the loaded one, and one less is stashed. */
    static const char *const expected[LADDER_PLAYERS][2] = {
        {"shipped", "first all, page more, 2 kept"}, {"little", "first first, page page, 0 gone"},
        {"lean", "first first, page more, 0 kept"},  {"roomy", "all all, half more, 1 kept"},
        {"shallow", "all all, page more, 1 kept"},   {"returning", "all all, half more, 0 gone"},
        {"ahead", "first all, page more, 2 kept"},
    };
    for (unsigned i = 0; i < LADDER_PLAYERS; i++) {
        player_under_test = expected[i][0];
        HAK_EXPECT_STREQ(hak_ladder_players[i].name, player_under_test);
        HAK_EXPECT_STREQ(run(play)->output.bytes, expected[i][1]);
    }
}

static void print_player(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    hak_free(hak_alloc(SIZE));
    HAK_EXPECT_STREQ(hak_ladder_players[learner()->playing].name, "roomy");
}

HAK_TEST_ISOLATED(Learn, TheEnvironmentNamesThePlayer, "HAKMEM_LEARN_PLAYER=roomy") {
    threads_run(1, print_player, NULL);
}

static void use_magazines_of(unsigned class_index) {
    void *blocks[MAGAZINE_SLOTS];
    const unsigned count = hak_classes[class_index].magazine;
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < count; i++) blocks[i] = hak_alloc(hak_classes[class_index].block_size);
        for (unsigned i = 0; i < count; i++) hak_free(blocks[i]);
    }
}

HAK_TEST_ISOLATED(Learn, PlayerWithAllRoomHasItAgainWhenThreadsAreFewer, "HAKMEM_LEARN_PLAYER=roomy") {
    const unsigned c = HAK_L2_CLASS_FIRST, most = hak_classes[c].magazine;
    if (!ladder_room_varies()) HAK_SKIP("without P3 a magazine always has its whole room");
    use_magazines_of(c);
    HAK_EXPECT_EQ(exchange_capacity(hak_self, c), most);
    hak_share_divide(32);
    use_magazines_of(c);
    HAK_EXPECT_LT(exchange_capacity(hak_self, c), most);
    hak_share_divide(1);
    use_magazines_of(c);
    HAK_EXPECT_EQ(exchange_capacity(hak_self, c), most);
}

/* ---- Choices ----------------------------------------------------------------------------------------- */

/* The same calls, and what the thread has learned of the class by then. */
static void body_calls(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    for (unsigned round = 0; round < 60; round++) {
        bursts(1);
        for (unsigned i = 0; i < 20000; i++) hak_free(hak_alloc(SIZE));
    }
    const struct ladder_learner *found = learner();
    printf("%s %u %u:", hak_ladder_players[found->chosen].name, (unsigned)found->matches, (unsigned)found->random);
    for (unsigned i = 0; i < LADDER_PLAYERS; i++) printf(" %d", found->ratings[i]);
}

static void calls(void) { threads_run(1, body_calls, NULL); }

static void calls_with_another_seed(void) {
    if (set_seed("8")) calls();
}

static void calls_with_a_seed(void) {
    if (set_seed("7")) calls();
}

HAK_TEST_ISOLATED(Learn, SameCallsAndSeedMakeTheSameChoices, "HAKMEM_LEARN_SEED=7 HAKMEM_PURGE_DELAY_MS=-1") {
    char first[256];
    snprintf(first, sizeof first, "%.200s", run(calls)->output.bytes);
    HAK_EXPECT(strstr(first, " 0 ") == NULL);
    HAK_EXPECT_GT(strlen(first), 20);
    HAK_EXPECT_STREQ(run(calls)->output.bytes, first);
    HAK_EXPECT_STREQ(run(calls_with_a_seed)->output.bytes, first);
    HAK_EXPECT(strcmp(run(calls_with_another_seed)->output.bytes, first) != 0);
}

/* A class of a thread that does not exist, whose every slow path costs so many flushed blocks if `best` plays and so many if not. */
static struct ladder_learning imagined;

#define CHEAP 10u
#define DEAR 20u

/* Of the events that others than `best` played: how many, and how many flushed blocks they cost more. */
struct others {
    unsigned events, blocks;
};

static struct others imagine(unsigned best, unsigned dear, unsigned events) {
    struct others others = {0, 0};
    for (unsigned i = 0; i < events; i++) {
        const bool is_best = imagined.learners[1][0].playing == best;
        hak_ladder_charge(&imagined, 1, LADDER_WORK_FLUSH_BLOCK, is_best ? CHEAP : dear);
        (void)hak_ladder_event(&imagined, 1, NULL, 64, 0);
        others.events += !is_best;
        others.blocks += is_best ? 0 : dear - CHEAP;
    }
    return others;
}

HAK_TEST(Learn, TheCheapestPlayerIsFoundAndOthersHardlyPlay) {
    for (unsigned best = 0; best < LADDER_PLAYERS; best++) {
        hak_ladder_learning_begin(&imagined);
        (void)imagine(best, DEAR, 30000);
        HAK_EXPECT_EQ(imagined.learners[1][0].chosen, best);
        const uint32_t matches = imagined.learners[1][0].matches;
        HAK_EXPECT_LT(imagine(best, DEAR, 60000).events, 60000 / 20);
        HAK_EXPECT_EQ(imagined.learners[1][0].chosen, best);
        HAK_EXPECT_GT(imagined.learners[1][0].matches, matches); /* they do play */
    }
}

/* Where others are a tenth dearer the share of windows bounds them. */
HAK_TEST(Learn, OthersPlayFewWindows) {
    hak_ladder_learning_begin(&imagined);
    (void)imagine(2, CHEAP + 1, 120000);
    HAK_EXPECT_LT(imagine(2, CHEAP + 1, 60000).events, 60000 / 20);
}

/* Where they are a hundred times as dear what they cost does. */
HAK_TEST(Learn, OthersCostLittle) {
    hak_ladder_learning_begin(&imagined);
    (void)imagine(2, 100 * CHEAP, 200000);
    HAK_EXPECT_EQ(imagined.learners[1][0].chosen, 2);
    HAK_EXPECT_LT(imagine(2, 100 * CHEAP, 400000).blocks, 400000 * CHEAP / 32);
}

/* Long after the last match but one: the class is doubted, or too few matches would be left to find out. */
HAK_TEST(Learn, AChangeOfTheClassIsNoticed) {
    hak_ladder_learning_begin(&imagined);
    for (unsigned best = 0; best < LADDER_PLAYERS; best++) {
        (void)imagine(best, DEAR, 100000);
        HAK_EXPECT_EQ(imagined.learners[1][0].chosen, best);
        HAK_EXPECT_GT(imagined.learners[1][0].since, 20);
        (void)imagine((best + 1) % LADDER_PLAYERS, DEAR, 600);
        HAK_EXPECT_LT(imagined.learners[1][0].since, 10);
    }
}

/* Magazines that are held for nothing lose against such as are not. */
HAK_TEST(Learn, HeldBytesCost) {
    hak_ladder_learning_begin(&imagined);
    (void)hak_ladder_event(&imagined, 1, NULL, 64, 0);
    const uint64_t before = imagined.cost;
    (void)hak_ladder_event(&imagined, 1, NULL, 64, 0);
    const uint64_t bare = imagined.cost - before;
    (void)hak_ladder_event(&imagined, 1, NULL, 64, 1u << LADDER_COST_SHIFT);
    HAK_EXPECT_EQ(imagined.cost - before - 2 * bare, (uint64_t)64 << LADDER_COST_SHIFT);
}

#endif
