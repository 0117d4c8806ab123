/* SPDX-License-Identifier: MIT */
/* The profile's table: how paths of calls are stored, and what counts together where it is full. */
#include <stdint.h>
#include <string.h>

#include "hakmem/sample/record.h"
#include "hakmem/sample/tally.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

static struct hak_profile_table table;

static struct hak_stack path(uint64_t site, uint32_t count, uint64_t first) {
    struct hak_stack stack = {.site = site, .count = count};
    for (uint32_t i = 0; i < count; i++) stack.callers[i] = first + i;
    return stack;
}

static const struct profile_record *claim_of(const struct hak_stack *stack, uint64_t size, uint64_t rate,
                                             uint64_t thread) {
    const struct record_key key = {.stack = stack, .size = size, .rate = rate, .thread = thread};
    return &table.records[hak_record_claim(&table, &key)];
}

static const struct profile_record *claim(const struct hak_stack *stack, uint64_t size) {
    return claim_of(stack, size, 1, 2);
}

HAK_TEST(StackTable, StoresAPathOnceForAllSizes) {
    memset(&table, 0, sizeof table);
    struct hak_stack stack = path(1000, 5, 2000);
    const struct profile_record *small = claim(&stack, 16);
    HAK_EXPECT(claim(&stack, 16) == small);
    const struct profile_record *large = claim(&stack, 32);
    HAK_EXPECT(large != small);
    HAK_EXPECT_EQ(large->callers, small->callers);
    HAK_EXPECT_EQ(table.frames_used, 5);
    HAK_EXPECT_EQ(record_caller_count(small), 5);
    HAK_EXPECT(memcmp(record_callers(&table, small), stack.callers, 5 * sizeof *stack.callers) == 0);
    stack.callers[4]++;
    HAK_EXPECT(claim(&stack, 16) != small);
    stack.callers[4]--;
    stack.is_cut = true;
    HAK_EXPECT(record_is_cut(claim(&stack, 16)));
    HAK_EXPECT(!record_is_cut(small));
    HAK_EXPECT_EQ(table.used, 4);
    HAK_EXPECT_EQ(table.frames_used, 15);
    stack.is_cut = false;
    stack.is_open = true;
    HAK_EXPECT(record_is_open(claim(&stack, 16)));
    HAK_EXPECT(!record_is_open(small));
    stack.count = 0; /* nothing but the call is known: it is one record all the same */
    HAK_EXPECT(record_is_open(claim(&stack, 16)));
    HAK_EXPECT(claim(&stack, 16) == claim(&stack, 16));
    HAK_EXPECT_EQ(table.used, 6);
}

HAK_TEST(StackTable, FullOfFramesKeepsTheCall) {
    memset(&table, 0, sizeof table);
    for (uint64_t i = 0; i < PROFILE_FRAMES / STACK_CALLERS_MAX; i++) {
        const struct hak_stack stack = path(1000, STACK_CALLERS_MAX, 2000 + i);
        HAK_ASSERT_TRUE(record_caller_count(claim(&stack, 16)) == STACK_CALLERS_MAX);
    }
    HAK_EXPECT_EQ(table.frames_used, PROFILE_FRAMES);
    HAK_EXPECT_EQ(table.shortened, 0);
    const struct hak_stack stack = path(1000, 1, 1);
    const struct profile_record *record = claim(&stack, 16);
    HAK_EXPECT_EQ(record->site, 1000);
    HAK_EXPECT_EQ(record_caller_count(record), 0);
    HAK_EXPECT(claim(&stack, 16) == record);
    HAK_EXPECT_EQ(table.shortened, 2);
    /* A path that is stored stays whole, for a new size as well. */
    const struct hak_stack first = path(1000, STACK_CALLERS_MAX, 2000);
    HAK_EXPECT_EQ(record_caller_count(claim(&first, 32)), STACK_CALLERS_MAX);
    HAK_EXPECT_EQ(table.shortened, 2);
}

#define SAMPLES 1000u

/* Paths that others have, paths of its own, and a size that is known already or not. */
static void sample_without_room(void *unused, unsigned index) {
    (void)unused;
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct hak_stack stack = path(1000 + i % 3, 1 + i % 2, index);
        const struct record_key key = {.stack = &stack, .size = (uint64_t)16 << i % 4, .rate = 1, .thread = 2};
        const uint32_t record = hak_tally_record(&table, &key);
        HAK_EXPECT_EQ(record_caller_count(&table.records[record]), 0);
        (void)hak_tally_allocation(&table, record, key.size - 1);
    }
}

HAK_TEST(StackTable, FullOfFramesCountsTheSamplesOfAllThreads) {
    memset(&table, 0, sizeof table);
    table.frames_used = PROFILE_FRAMES;
    threads_run(4, sample_without_room, NULL);
    uint64_t samples = 0;
    for (uint32_t i = 0; i < table.used; i++) samples += table.records[i].allocations;
    HAK_EXPECT_EQ(table.used, 3 * 4);
    HAK_EXPECT_EQ(samples, 4 * SAMPLES);
    HAK_EXPECT_EQ(table.shortened, 4 * SAMPLES);
}

HAK_TEST(StackTable, FullOfRecordsCountsFurtherPathsAsOne) {
    memset(&table, 0, sizeof table);
    for (uint64_t i = 1; i <= PROFILE_RECORDS / 4 * 3; i++) {
        const struct hak_stack stack = path(i, 0, 0);
        HAK_ASSERT_TRUE(claim(&stack, 16)->site == i);
    }
    const struct hak_stack one = path(100000, 3, 1), other = path(200000, 3, 9);
    HAK_EXPECT_EQ(claim(&one, 16)->site, 0);
    HAK_EXPECT_EQ(claim(&one, 16)->thread, 0);
    HAK_EXPECT(claim(&one, 16) == claim(&other, 16));
    HAK_EXPECT_EQ(table.frames_used, 0);
}

HAK_TEST(StackTable, TellsRatesApart) {
    memset(&table, 0, sizeof table);
    const struct hak_stack stack = path(1000, 5, 2000);
    const struct profile_record *every = claim_of(&stack, 16, 1, 2), *some = claim_of(&stack, 16, 4096, 2);
    HAK_EXPECT(every != some);
    HAK_EXPECT_EQ(every->rate, 1);
    HAK_EXPECT_EQ(some->rate, 4096);
    HAK_EXPECT(claim_of(&stack, 16, 1, 2) == every);
    HAK_EXPECT_EQ(table.frames_used, 5);
}

#define THREADS 40u

/* In any order, so that records of a thread lie before and behind those of others in the index. */
HAK_TEST(StackTable, TellsThreadsApart) {
    memset(&table, 0, sizeof table);
    const struct profile_record *records[THREADS][4][3];
    for (unsigned i = 0; i < THREADS * 4 * 3; i++) {
        const unsigned number = i * 7 % (THREADS * 4 * 3), thread = number % THREADS, size = number / THREADS % 4;
        const unsigned which = number / THREADS / 4;
        const struct hak_stack stack = path(1000 + which, 5, 2000);
        records[thread][size][which] = claim_of(&stack, (uint64_t)16 << size, 1, thread);
    }
    HAK_EXPECT_EQ(table.used, THREADS * 4 * 3);
    HAK_EXPECT_EQ(table.frames_used, 3 * 5);
    for (unsigned i = 0; i < THREADS * 4 * 3; i++) {
        const unsigned thread = i % THREADS, size = i / THREADS % 4, which = i / THREADS / 4;
        const struct hak_stack stack = path(1000 + which, 5, 2000);
        const struct profile_record *record = records[thread][size][which];
        HAK_EXPECT_EQ(record->thread, thread);
        HAK_EXPECT_EQ(record->size, (uint64_t)16 << size);
        HAK_EXPECT_EQ(record->site, 1000 + which);
        const struct record_key key = {.stack = &stack, .size = record->size, .rate = 1, .thread = thread};
        HAK_EXPECT(&table.records[hak_record_find(&table, &key)] == record);
    }
    HAK_EXPECT_EQ(table.used, THREADS * 4 * 3);
}

/* The first thread of a path is always told, and paths never want for room for the threads' sake. */
HAK_TEST(StackTable, FullOfThreadsCountsFurtherOnesAsOne) {
    memset(&table, 0, sizeof table);
    const struct hak_stack stack = path(1000, 5, 2000), other = path(2000, 5, 2000);
    HAK_EXPECT_EQ(claim_of(&other, 16, 1, 2)->thread, 2);
    for (uint64_t i = 0; i <= PROFILE_OTHERS; i++) HAK_ASSERT_TRUE(claim_of(&stack, 16, 1, 2 + i)->thread == 2 + i);
    const struct profile_record *rest = claim_of(&stack, 16, 1, 100000);
    HAK_EXPECT_EQ(rest->thread, 0);
    HAK_EXPECT(claim_of(&stack, 16, 1, 100001) == rest);
    HAK_EXPECT_EQ(rest->site, 1000);
    HAK_EXPECT_EQ(record_caller_count(rest), 5);
    HAK_EXPECT_EQ(claim_of(&stack, 32, 1, 2)->thread, 2);
    HAK_EXPECT_EQ(claim_of(&stack, 32, 1, 3)->thread, 0);
    HAK_EXPECT_EQ(claim_of(&other, 16, 1, 3)->thread, 0);
    const struct hak_stack more = path(3000, 5, 2000);
    HAK_EXPECT_EQ(claim_of(&more, 16, 1, 77)->thread, 77);
    HAK_EXPECT_EQ(table.others, PROFILE_OTHERS + 3);
}
