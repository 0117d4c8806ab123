/* SPDX-License-Identifier: MIT */
/* The callers of a sampled allocation: which they are, and how many are kept. */
#include <stdint.h>
#include <sys/mman.h>

#include "hakmem/hakmem.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/harness.h"

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
            HAK_EXPECT(!entry.is_cut && !entry.is_open);
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
