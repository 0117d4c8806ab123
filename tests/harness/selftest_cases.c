/* SPDX-License-Identifier: MIT */
/* Tests that fail on purpose, one an assertion, beside twins that pass: what harness_selftest.py runs.
 *
 * A test of the suite Fails has to fail with the words in its comment, one of the suite Passes must not. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/system.h"
#include "tests/harness/threads.h"

HAK_TEST(Passes, Comparisons) {
    size_t large = SIZE_MAX;
    HAK_EXPECT(1);
    HAK_ASSERT_TRUE(1);
    HAK_EXPECT_EQ(2, 2u);
    HAK_EXPECT_NE(-1, large); /* by value, not after conversion */
    HAK_EXPECT_LT(-1, large);
    HAK_EXPECT_LE(2, 2);
    HAK_EXPECT_GT(large, INT64_MAX);
    HAK_EXPECT_GE(2, 2);
    HAK_EXPECT_PTR_EQ(&large, &large);
    HAK_EXPECT_STREQ("a", "a");
    HAK_EXPECT_STREQ(NULL, NULL);
}

HAK_TEST(Fails, Expect) { HAK_EXPECT(1 > 2); }
HAK_TEST(Fails, Eq) { HAK_EXPECT_EQ(1, 2); }
HAK_TEST(Fails, Ne) { HAK_EXPECT_NE(7, 7); }
HAK_TEST(Fails, Lt) { HAK_EXPECT_LT(SIZE_MAX, -3); }
HAK_TEST(Fails, Le) { HAK_EXPECT_LE(4, 3); }
HAK_TEST(Fails, Gt) { HAK_EXPECT_GT(3, 3); }
HAK_TEST(Fails, Ge) { HAK_EXPECT_GE(3, 4); }
HAK_TEST(Fails, PtrEq) { HAK_EXPECT_PTR_EQ((void *)16, NULL); }
HAK_TEST(Fails, StrEq) { HAK_EXPECT_STREQ("here", "there"); }
HAK_TEST(Fails, StrEqNull) { HAK_EXPECT_STREQ(NULL, "there"); }

HAK_TEST(Fails, AssertTrueReturns) {
    HAK_ASSERT_TRUE(1 > 2);
    harness_fail(__FILE__, __LINE__, "went on");
}

HAK_TEST(Fails, EveryFailureIsReported) {
    HAK_EXPECT_EQ(1, 2);
    HAK_EXPECT_EQ(3, 4);
}

static void say_and_abort(const char *text) {
    fprintf(stderr, "%s\n", text);
    abort();
}

HAK_TEST(Passes, Death) {
    HAK_EXPECT_DEATH(say_and_abort("block 17 is dead"), "block [0-9]+ is dead");
    HAK_EXPECT_DEATH(
        {
            fputs("status\n", stderr);
            _exit(3);
        },
        "status");
}

HAK_TEST(Fails, DeathSurvivor) { HAK_EXPECT_DEATH((void)0, ""); }
HAK_TEST(Fails, DeathSaysSomethingElse) { HAK_EXPECT_DEATH(say_and_abort("one"), "two"); }
HAK_TEST(Fails, DeathSaysItOnTheWrongStream) {
    HAK_EXPECT_DEATH(
        {
            puts("one");
            exit(1);
        },
        "one");
}
HAK_TEST(Fails, DeathExitsWithZero) {
    HAK_EXPECT_DEATH(
        {
            fputs("one\n", stderr);
            _exit(0);
        },
        "one");
}

HAK_TEST(Passes, ExitOk) {
    int here = 1;
    HAK_EXPECT_EXIT_OK({
        here = 2;
        HAK_EXPECT_EQ(here, 2);
    });
    HAK_EXPECT_EQ(here, 1);
}

HAK_TEST(Fails, ExitOkStatus) { HAK_EXPECT_EXIT_OK(_exit(5)); }
HAK_TEST(Fails, ExitOkSignal) { HAK_EXPECT_EXIT_OK(say_and_abort("last words")); }
HAK_TEST(Fails, ExitOkFailureInTheChild) { HAK_EXPECT_EXIT_OK(HAK_EXPECT_EQ(11, 12)); }
HAK_TEST(Fails, ExitOkReturnInTheChild) { HAK_EXPECT_EXIT_OK(HAK_ASSERT_TRUE(1 > 2)); }

HAK_TEST_ISOLATED(Passes, Isolated, "HAK_SELFTEST_A=1 HAK_SELFTEST_B=two") {
    HAK_EXPECT_STREQ(getenv("HAK_SELFTEST_A"), "1");
    HAK_EXPECT_STREQ(getenv("HAK_SELFTEST_B"), "two");
    printf("said in a process of its own\n");
}
HAK_TEST(Passes, NotIsolated) { HAK_EXPECT_STREQ(getenv("HAK_SELFTEST_A"), NULL); }
HAK_TEST_ISOLATED(Fails, IsolatedFails, "") { HAK_EXPECT_EQ(21, 22); }
HAK_TEST_ISOLATED(Fails, IsolatedDies, "") { say_and_abort("isolated words"); }

HAK_TEST(Skips, Skip) {
    HAK_SKIP("no reason at all");
    harness_fail(__FILE__, __LINE__, "went on");
}
HAK_TEST_ISOLATED(Skips, SkipIsolated, "") { HAK_SKIP("no reason at all"); }

static void fail_in_thread(void *argument, unsigned index) {
    (void)argument;
    HAK_ASSERT_TRUE(index != 2);
}
HAK_TEST(Fails, InThread) { threads_run(4, fail_in_thread, NULL); }

static void count_in_thread(void *argument, unsigned index) {
    __atomic_fetch_add((unsigned *)argument, index + 1, __ATOMIC_RELAXED);
}
HAK_TEST(Passes, Threads) {
    unsigned sum = 0;
    threads_run(8, count_in_thread, &sum);
    HAK_EXPECT_EQ(sum, 36);
}

HAK_TEST(Passes, PatternSeesOneChangedByte) {
    static unsigned char bytes[20000];
    pattern_fill(bytes, 1001, 5);
    HAK_EXPECT(pattern_holds(bytes, 1001, 5));
    HAK_EXPECT(pattern_holds(bytes, 77, 5));
    HAK_EXPECT(!pattern_holds(bytes, 1001, 6));
    bytes[1000] ^= 1;
    HAK_EXPECT(!pattern_holds(bytes, 1001, 5));
    pattern_mark_pages(bytes, sizeof bytes, 9);
    HAK_EXPECT(pattern_pages_hold(bytes, sizeof bytes, 9));
    bytes[4 * 4096 + 15] ^= 1;
    HAK_EXPECT(!pattern_pages_hold(bytes, sizeof bytes, 9));
    HAK_EXPECT(pattern_all_zero(bytes + 5000, 3000));
    HAK_EXPECT(!pattern_all_zero(bytes, 3000));
}

static bool count_down(void *left) { return (*(int *)left)-- == 0; }
static bool never(void *nothing) { return nothing != NULL; }
HAK_TEST(Passes, WaitEndsWhenTheConditionHolds) {
    int left = 3;
    HAK_EXPECT(system_wait_until(count_down, &left, 60));
    HAK_EXPECT(!system_wait_until(never, NULL, 0));
}

HAK_TEST(Passes, ResidentBytesFollowTouchedMemory) {
    size_t before = system_resident_bytes();
    uint64_t faults = system_page_faults();
    static char touched[8 << 20];
    for (size_t at = 0; at < sizeof touched; at += 4096) *(volatile char *)(touched + at) = 1;
    HAK_EXPECT_GE(system_resident_bytes(), before + (7 << 20));
    HAK_EXPECT_GT(system_page_faults(), faults);
}
