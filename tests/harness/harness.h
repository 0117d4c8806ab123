/* SPDX-License-Identifier: MIT */
/* GoogleTest for C: tests and assertions that a C11 file can use, and a C++17 file as well.
 *
 *     HAK_TEST(Free, KeepsErrno) {
 *         errno = EDOM;
 *         hak_free(hak_alloc(100));
 *         HAK_EXPECT_EQ(errno, EDOM);
 *     }
 *
 * Each test registers itself with GoogleTest before main, so --gtest_filter, --gtest_list_tests, sharding
 * and the XML report work. HAK_EXPECT_* report a failure and go on, HAK_ASSERT_TRUE returns from the
 * function that it stands in. All may be used in any thread. Arguments are evaluated once. */
#ifndef TESTS_HARNESS_HARNESS_H
#define TESTS_HARNESS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/harness/process.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Tests ------------------------------------------------------------------------------------------- */

#define HAK_TEST(suite, name) HARNESS_DEFINE(suite, name, NULL)

/* A test that runs in a process of its own, started with the variables in `environment` set ("A=1 B=2",
 * "" for none): for what a process reads once, or what no other test may have touched before. */
#define HAK_TEST_ISOLATED(suite, name, environment) HARNESS_DEFINE(suite, name, environment)

/* Ends the test here and reports it as skipped. */
#define HAK_SKIP(reason)                            \
    do {                                            \
        harness_skip(__FILE__, __LINE__, (reason)); \
        return;                                     \
    } while (0)

/* HAK_TEST_TSAN or HAK_TEST_ASAN is defined where that sanitizer is on. HAK_TEST_SCALE(rounds) is a count of
 * rounds, made smaller there: ThreadSanitizer costs a factor of about 20. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAK_TEST_TSAN
#elif __has_feature(address_sanitizer)
#define HAK_TEST_ASAN
#endif
#elif defined(__SANITIZE_THREAD__)
#define HAK_TEST_TSAN
#elif defined(__SANITIZE_ADDRESS__)
#define HAK_TEST_ASAN
#endif

#if defined(HAK_TEST_TSAN)
#define HAK_TEST_SCALE(rounds) ((rounds) / 20 + 1)
#elif defined(HAK_TEST_ASAN)
#define HAK_TEST_SCALE(rounds) ((rounds) / 5 + 1)
#else
#define HAK_TEST_SCALE(rounds) (rounds)
#endif

/* ---- Assertions -------------------------------------------------------------------------------------- */

#define HAK_EXPECT(condition) ((void)harness_check(!!(condition), __FILE__, __LINE__, #condition))

#define HAK_ASSERT_TRUE(condition)                                                 \
    do {                                                                           \
        if (!harness_check(!!(condition), __FILE__, __LINE__, #condition)) return; \
    } while (0)

/* Integers of any type, compared by value: -1 is less than any size_t. Both values are printed. */
#define HAK_EXPECT_EQ(a, b) HARNESS_COMPARE(a, HARNESS_EQ, b)
#define HAK_EXPECT_NE(a, b) HARNESS_COMPARE(a, HARNESS_NE, b)
#define HAK_EXPECT_LT(a, b) HARNESS_COMPARE(a, HARNESS_LT, b)
#define HAK_EXPECT_LE(a, b) HARNESS_COMPARE(a, HARNESS_LE, b)
#define HAK_EXPECT_GT(a, b) HARNESS_COMPARE(a, HARNESS_GT, b)
#define HAK_EXPECT_GE(a, b) HARNESS_COMPARE(a, HARNESS_GE, b)

#define HAK_EXPECT_PTR_EQ(a, b) ((void)harness_compare_pointers((a), (b), __FILE__, __LINE__, #a, #b))
#define HAK_EXPECT_STREQ(a, b) ((void)harness_compare_strings((a), (b), __FILE__, __LINE__, #a, #b))

/* `statement` ends a child process by a signal or a status other than 0, and says on standard error
 * something that the POSIX extended regular expression matches. */
#define HAK_EXPECT_DEATH(statement, regex) HARNESS_CHILD(statement, (regex))

/* `statement`, run in a child process, comes to its end and no assertion fails there: for what changes
 * the whole process, resource limits say. */
#define HAK_EXPECT_EXIT_OK(statement) HARNESS_CHILD(statement, NULL)

/* ---- What the macros above are made of --------------------------------------------------------------- */

struct harness_test {
    const char *suite, *name, *file;
    int line;
    const char *environment; /* NULL: runs with the others */
    void (*body)(void);
    struct harness_test *next;
};

void harness_register(struct harness_test *test);

#define HARNESS_DEFINE(suite, name, environment)                                                         \
    static void suite##_##name(void);                                                                    \
    static struct harness_test suite##_##name##_test = {#suite,      #name,          __FILE__, __LINE__, \
                                                        environment, suite##_##name, NULL};              \
    __attribute__((constructor)) static void suite##_##name##_register(void) {                           \
        harness_register(&suite##_##name##_test);                                                        \
    }                                                                                                    \
    static void suite##_##name(void)

enum harness_relation { HARNESS_EQ, HARNESS_NE, HARNESS_LT, HARNESS_LE, HARNESS_GT, HARNESS_GE };

/* Holds every value of every integer type. */
typedef __int128 harness_integer;

#define HARNESS_COMPARE(a, relation, b) \
    ((void)harness_compare((harness_integer)(a), relation, (harness_integer)(b), __FILE__, __LINE__, #a, #b))

/* Each reports a failure where the condition does not hold, and returns whether it did. */
bool harness_check(bool condition, const char *file, int line, const char *text);
bool harness_compare(harness_integer a, enum harness_relation relation, harness_integer b, const char *file, int line,
                     const char *a_text, const char *b_text);
bool harness_compare_pointers(const void *a, const void *b, const char *file, int line, const char *a_text,
                              const char *b_text);
bool harness_compare_strings(const char *a, const char *b, const char *file, int line, const char *a_text,
                             const char *b_text);
void harness_skip(const char *file, int line, const char *reason);

/* Reports a failure of the test that runs now. */
void harness_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Failures reported in this process so far. */
unsigned harness_failure_count(void);

struct harness_child {
    struct process process;
    unsigned failures; /* harness_failure_count() at the fork */
};

/* true in the child, false in the parent; reports a failure where the system refuses. */
bool harness_child_fork(struct harness_child *child, const char *file, int line);

/* Ends the child: status 0, or 1 where an assertion failed in it. */
void harness_child_end(const struct harness_child *child) __attribute__((noreturn));

/* Waits for the child; regex NULL: it has to exit with 0, else to die with a message. */
void harness_child_judge(struct harness_child *child, const char *regex, const char *file, int line, const char *text);

#define HARNESS_CHILD(statement, regex)                                      \
    do {                                                                     \
        struct harness_child child_;                                         \
        if (harness_child_fork(&child_, __FILE__, __LINE__)) {               \
            statement;                                                       \
            harness_child_end(&child_);                                      \
        }                                                                    \
        harness_child_judge(&child_, regex, __FILE__, __LINE__, #statement); \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
