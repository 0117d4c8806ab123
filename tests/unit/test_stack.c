/* SPDX-License-Identifier: MIT */
/* The callers of a sampled allocation: which they are, how many are kept, and how they are stored. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/hakmem.h"
#include "hakmem/sample/profile.h"
#include "hakmem/sample/record.h"
#include "hakmem/sample/tally.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

/* One function, one frame: none is inlined, and none jumps to the next. */
#if defined(__clang__)
#define FRAME __attribute__((noinline, disable_tail_calls))
#else
#define FRAME __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))
#endif

/* Where inner and middle return to. */
static const char *returns_to[2];

enum way { BY_ALLOC, BY_CALLOC, BY_REALLOC, BY_ALIGNED_ALLOC, WAYS };

static FRAME void *inner(enum way way, size_t size) {
    returns_to[0] = __builtin_return_address(0);
    switch (way) {
    case BY_ALLOC: return hak_alloc(size);
    case BY_CALLOC: return hak_calloc(1, size);
    case BY_REALLOC: return hak_realloc(NULL, size);
    default: return hak_aligned_alloc(64, size);
    }
}

static FRAME void *middle(enum way way, size_t size) {
    returns_to[1] = __builtin_return_address(0);
    void *p = inner(way, size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

static FRAME void *outer(enum way way, size_t size) {
    void *p = middle(way, size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

static FRAME void *nested(unsigned depth, size_t size) {
    void *p = depth == 0 ? hak_alloc(size) : nested(depth - 1, size);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

struct found {
    const void *site; /* that is looked for */
    unsigned count;
    struct hak_profile_entry entry;
};

static void find_live(const struct hak_profile_entry *entry, void *argument) {
    struct found *found = argument;
    if (entry->site == found->site && entry->live > 0) {
        found->entry = *entry;
        found->count++;
    }
}

/* What is known of the path that made the block, the only live one of its site. */
static struct hak_profile_entry entry_of(const void *p) {
    struct found found = {.site = hak_profile_site_of(p)};
    hak_profile_read(find_live, &found);
    HAK_EXPECT_EQ(found.count, 1);
    return found.entry;
}

/* The first callers are those that the functions saw. An instrumented library calls where it would jump, so that the site is
 * its own there, and its functions come first. */
static void expect_callers(const struct hak_profile_entry *entry) {
    const size_t own = HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER ? 2 : 0;
    size_t first = 0;
    while (first < own && (uintptr_t)entry->callers[first] != (uintptr_t)returns_to[0] - 1) first++;
    HAK_ASSERT_TRUE(entry->caller_count > first + 2);
    HAK_EXPECT_PTR_EQ((const char *)(uintptr_t)entry->callers[first], returns_to[0] - 1);
    HAK_EXPECT_PTR_EQ((const char *)(uintptr_t)entry->callers[first + 1], returns_to[1] - 1);
}

HAK_TEST(Stack, NamesEachCallerOfEveryKindOfAllocation) {
    if (HAK_GUARD_FULL) HAK_SKIP("it has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    static const size_t sizes[] = {1, 100, 1024, 5000, 40000, 200000, 3000000};
    for (enum way way = BY_ALLOC; way < WAYS; way++) {
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            void *p = outer(way, sizes[i]);
            HAK_ASSERT_TRUE(p != NULL);
            const struct hak_profile_entry entry = entry_of(p);
            HAK_EXPECT(!entry.is_cut);
            expect_callers(&entry);
            hak_free(p);
        }
    }
    hak_profile_stop();
}

HAK_TEST(Stack, PathsThatDifferInOneCallerAreTwo) {
    if (HAK_GUARD_FULL) HAK_SKIP("it has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    void *shallow = nested(3, 100), *deep = nested(4, 100);
    struct found found = {.site = hak_profile_site_of(shallow)};
    HAK_EXPECT_PTR_EQ(hak_profile_site_of(deep), found.site);
    hak_profile_read(find_live, &found);
    HAK_EXPECT_EQ(found.count, 2);
    hak_free(shallow);
    hak_free(deep);
    hak_profile_stop();
}

/* Two callers with frames of any size, and one function below them whose frame makes up for the difference: the stack
 * pointer in the lowest is the same in all calls. Nobody writes to the room, so that what the last path left is found there. */
#define ROOM 4096

static FRAME void *lowest(void) {
    char *bytes = __builtin_alloca(64);
    __asm__ volatile("" : : "r"(bytes) : "memory");
    returns_to[0] = __builtin_return_address(0);
    void *p = hak_alloc(100);
    __asm__ volatile("" : : "r"(p), "r"(bytes) : "memory");
    return p;
}

static FRAME void *above_lowest(size_t room) {
    char *bytes = __builtin_alloca(room);
    __asm__ volatile("" : : "r"(bytes) : "memory");
    returns_to[1] = __builtin_return_address(0);
    void *p = lowest();
    __asm__ volatile("" : : "r"(p), "r"(bytes) : "memory");
    return p;
}

/* The name in the first statement keeps the compiler from making one function of two. */
#define CALLER(name)                                            \
    static FRAME void *name(size_t room) {                      \
        char *bytes = __builtin_alloca(ROOM - room);            \
        __asm__ volatile("# " #name : : "r"(bytes) : "memory"); \
        void *p = above_lowest(room);                           \
        __asm__ volatile("" : : "r"(p), "r"(bytes) : "memory"); \
        return p;                                               \
    }
CALLER(left)
CALLER(right)

/* The one place from which both are called. */
static FRAME void *either(bool is_left, size_t room) {
    void *(*volatile way)(size_t room) = is_left ? left : right;
    void *p = way(room);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

/* The left path with one room, then the right one with the other, in whose frames the return address to the left one may
 * still be. A loop, so that they return to one place. */
static FRAME void expect_both_paths(size_t left_room, size_t right_room) {
    const size_t rooms[] = {right_room, left_room};
    for (volatile unsigned is_left = 2; is_left-- > 0;) {
        void *p = either(is_left != 0, rooms[is_left]);
        HAK_ASSERT_TRUE(p != NULL);
        const struct hak_profile_entry entry = entry_of(p);
        expect_callers(&entry);
        hak_free(p);
    }
}

HAK_TEST(Stack, OtherCallerAtTheSameStackPointerIsNotMistaken) {
    if (HAK_GUARD_FULL) HAK_SKIP("it has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (size_t room = 0; room <= ROOM; room += 16) expect_both_paths(room, room);
    hak_profile_stop();
}

HAK_TEST(Stack, FrameOfOtherSizeAtTheSameStackPointerIsNotMistaken) {
    if (HAK_GUARD_FULL) HAK_SKIP("it has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (size_t room = 0; room < ROOM; room += 16) {
        for (size_t more = room + 16; more <= ROOM; more += 272) expect_both_paths(room, more);
    }
    hak_profile_stop();
}

#if defined(__x86_64__)
/* Calls `function` on another stack: a frame that begins there and ends here, as coroutines and growing stacks have it. */
void *on_other_stack(void *(*function)(void), char *top);
__asm__(
    ".text\n"
    ".type on_other_stack, @function\n"
    "on_other_stack:\n"
    ".cfi_startproc\n"
    "push %rbp\n"
    ".cfi_def_cfa_offset 16\n"
    ".cfi_offset %rbp, -16\n"
    "mov %rsp, %rbp\n"
    ".cfi_def_cfa_register %rbp\n"
    "mov %rsi, %rsp\n"
    "call *%rdi\n"
    "mov %rbp, %rsp\n"
    "pop %rbp\n"
    ".cfi_def_cfa %rsp, 8\n"
    "ret\n"
    ".cfi_endproc\n"
    ".size on_other_stack, .-on_other_stack\n");

static FRAME void *alloc_there(void) {
    void *p = hak_alloc(100);
    __asm__ volatile("" : : "r"(p) : "memory");
    return p;
}

HAK_TEST(Stack, FrameBetweenTwoStacksIsNotRead) {
    if (HAK_GUARD_FULL) HAK_SKIP("it has no profile");
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("a sanitizer has to be told of the other stack");
    const size_t page = 4096, bytes = 16 * page;
    /* Below this thread's, as mmap places it, with pages that are not there in between. */
    char *stack = (char *)mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HAK_ASSERT_TRUE(stack != MAP_FAILED && mprotect(stack + bytes, page, PROT_NONE) == 0);
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < 3; i++) {
        void *p = on_other_stack(alloc_there, stack + bytes);
        const struct hak_profile_entry entry = entry_of(p);
        HAK_EXPECT(entry.caller_count > 2); /* this function's, and what called it */
        hak_free(p);
    }
    hak_profile_stop();
    HAK_EXPECT_EQ(munmap(stack, bytes + page), 0);
}
#endif

static void expect_kept(size_t count, bool is_cut) {
    if (HAK_GUARD_FULL) HAK_SKIP("it has no profile");
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    void *p = nested(40, 100);
    const struct hak_profile_entry entry = entry_of(p);
    HAK_EXPECT_EQ(entry.caller_count, count);
    HAK_EXPECT_EQ(entry.is_cut, is_cut);
    hak_free(p);
}

HAK_TEST_ISOLATED(StackLimit, IsTheOption, "HAKMEM_PROFILE_FRAMES=3") { expect_kept(3, true); }
HAK_TEST_ISOLATED(StackLimit, IsThirtyTwoByDefault, "") { expect_kept(32, true); }
HAK_TEST_ISOLATED(StackLimit, OfNoneKeepsTheCall, "HAKMEM_PROFILE_FRAMES=0") { expect_kept(0, false); }

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
