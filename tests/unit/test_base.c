/* SPDX-License-Identifier: MIT */
/* Assertions, reports, warnings and options: what they print, where, and what happens after.
 *
 * Everything that prints or aborts runs in a child process, whose streams the test reads. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/options.h"
#include "hakmem/base/random.h"
#include "hakmem/base/text.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/maps.h"
#include "tests/harness/harness.h"

extern char **environ;

/* Runs `body` in a child; the result stays valid until the next call. */
static const struct process_result *run(void (*body)(void)) {
    static struct process_result result;
    struct process child;
    pid_t pid = process_fork(&child);
    if (pid == 0) {
        body();
        _exit(0);
    }
    memset(&result, 0, sizeof result);
    HAK_EXPECT(pid > 0);
    if (pid > 0) process_finish(&child, &result);
    return &result;
}

static unsigned lines(const struct process_text *text) {
    unsigned count = 0;
    for (size_t i = 0; i < text->length; i++) count += text->bytes[i] == '\n';
    return count;
}

static bool aborted(const struct process_result *result) { return !result->exited && result->code == SIGABRT; }

/* ---- Assertions -------------------------------------------------------------------------------------- */

static unsigned evaluations;

static bool evaluate(bool value) {
    evaluations++;
    return value;
}

HAK_TEST(Assert, CheckIsAlwaysOn) {
    evaluations = 0;
    HAK_CHECK(evaluate(true));
    HAK_EXPECT_EQ(evaluations, 1);
    HAK_EXPECT_DEATH(HAK_CHECK(1 + 1 == 3), "^hakmem: tests/unit/test_base\\.c:[0-9]+: does not hold: 1 \\+ 1 == 3\n$");
}

HAK_TEST(Assert, OthersAreEvaluatedInDebugBuildsOnly) {
    evaluations = 0;
    HAK_ASSERT(evaluate(true));
    HAK_ASSERT_SLOW(evaluate(true));
    HAK_EXPECT_EQ(evaluations, HAK_DEBUG ? 2 : 0);
    if (HAK_DEBUG) {
        HAK_EXPECT_DEATH(HAK_ASSERT(evaluate(false)), "does not hold: evaluate\\(false\\)");
        HAK_EXPECT_DEATH(HAK_ASSERT_SLOW(evaluate(false)), "does not hold: evaluate\\(false\\)");
    } else {
        HAK_ASSERT(evaluate(false));
        HAK_ASSERT_SLOW(evaluate(false));
    }
}

static void fail_check(void) { HAK_CHECK(environ == NULL && "nothing to show"); }

HAK_TEST(Assert, PrintsOneLineOnStandardErrorAndAborts) {
    const struct process_result *result = run(fail_check);
    HAK_EXPECT(aborted(result));
    HAK_EXPECT_EQ(lines(&result->errors), 1);
    HAK_EXPECT_EQ(result->output.length, 0);
}

/* ---- Modules ----------------------------------------------------------------------------------------- */

static char module_bytes[TEXT_LINE_BYTES];

/* What a report says of an address behind the address itself. */
static const char *module_of(uintptr_t address) {
    struct maps maps;
    struct hak_text text = text_memory(module_bytes, sizeof module_bytes);
    HAK_EXPECT_EQ(hak_maps_read(&maps), 0);
    hak_maps_add_module(&text, &maps, address);
    hak_maps_free(&maps);
    return hak_text_string(&text);
}

HAK_TEST(Module, AnAddressOfTheProgramIsNamedByItsFileAndItsOffset) {
    char program[4096] = "", expected[4200];
    static int variable = 1;
    const uintptr_t start = getauxval(AT_PHDR) & ~(uintptr_t)4095; /* the file's header lies in its first page */
    const uintptr_t places[] = {start, (uintptr_t)fail_check, (uintptr_t)&variable};
    HAK_EXPECT_GT(readlink("/proc/self/exe", program, sizeof program - 1), 0);
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(expected, sizeof expected, ": %s+0x%jx", program, (uintmax_t)(places[i] - start));
        HAK_EXPECT_STREQ(module_of(places[i]), expected);
    }
}

/* A file of `length` characters' path, mapped; the result is for module_of. */
static const void *map_deep_file(char *path, size_t length) {
    const char *temporary = getenv("TEST_TMPDIR");
    size_t used = (size_t)snprintf(path, length, "%s", temporary != NULL ? temporary : "/tmp");
    while (length - used > 250) {
        memset(path + used, 'd', 200);
        path[used] = '/';
        path[used += 200] = '\0';
        HAK_EXPECT(mkdir(path, 0700) == 0 || errno == EEXIST);
    }
    memset(path + used, 'f', length - used);
    path[used] = '/';
    path[length] = '\0';
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    HAK_EXPECT_GE(file, 0);
    HAK_EXPECT_EQ(ftruncate(file, 1), 0);
    const void *mapped = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    return mapped;
}

HAK_TEST(Module, APathIsWholeOrItsEnd) {
    char path[1024], expected[1100];
    const void *mapped = map_deep_file(path, MAPS_PATH_MOST);
    snprintf(expected, sizeof expected, ": %s+0x0", path);
    HAK_EXPECT_STREQ(module_of((uintptr_t)mapped), expected);
    mapped = map_deep_file(path, MAPS_PATH_MOST + 100);
    snprintf(expected, sizeof expected, ": ...%s+0x0", path + 100);
    HAK_EXPECT_STREQ(module_of((uintptr_t)mapped), expected);
}

HAK_TEST(Module, WhatIsInNoFileHasNoModuleAndErrnoIsKept) {
    int local = 0;
    errno = EDOM;
    HAK_EXPECT_STREQ(module_of((uintptr_t)&local), "");
    HAK_EXPECT_STREQ(module_of(0), "");
    HAK_EXPECT_STREQ(module_of(UINTPTR_MAX), "");
    HAK_EXPECT_EQ(errno, EDOM);
}

/* ---- Reports of misuse ------------------------------------------------------------------------------- */

static void report_foreign(void) { hak_report_misuse(HAK_MISUSE_FOREIGN, "free", (void *)0x7f12345678, 0); }
static void report_interior(void) { hak_report_misuse(HAK_MISUSE_INTERIOR, "realloc", (void *)0x10, 64); }
static void report_double_free(void) { hak_report_misuse(HAK_MISUSE_DOUBLE_FREE, "free", (void *)0x7f12345678, 64); }
static void report_size(void) { hak_report_misuse(HAK_MISUSE_SIZE, "free_sized", (void *)UINTPTR_MAX, SIZE_MAX); }
static void report_alignment(void) { hak_report_misuse(HAK_MISUSE_ALIGNMENT, "operator delete", (void *)0x10, 64); }
static void report_null(void) { hak_report_misuse(HAK_MISUSE_DOUBLE_FREE, "free", NULL, 0); }

static const struct {
    void (*report)(void);
    const char *line;
} reports[] = {
    {report_foreign, "hakmem: free(0x7f12345678): foreign pointer: not a block of hakmem\n"},
    {report_interior, "hakmem: realloc(0x10): interior pointer: not the start of the block of 64 bytes\n"},
    {report_double_free, "hakmem: free(0x7f12345678): double free: the block of 64 bytes is free already\n"},
    {report_size,
     "hakmem: free_sized(0xffffffffffffffff): wrong size: the size given does not fit the block of "
     "18446744073709551615 bytes\n"},
    {report_alignment,
     "hakmem: operator delete(0x10): wrong alignment: the alignment given does not fit the block of 64 bytes\n"},
    {report_null, "hakmem: free(0x0): double free: the block is free already\n"},
};

HAK_TEST(Report, PrintsExactlyOneLineOnStandardErrorAndAborts) {
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        const struct process_result *result = run(reports[i].report);
        HAK_EXPECT(aborted(result));
        HAK_EXPECT_STREQ(result->errors.bytes, reports[i].line);
        HAK_EXPECT_EQ(result->output.length, 0);
    }
}

static void report_and_go_on(void) {
    hak_options.on_misuse = HAK_ON_MISUSE_REPORT;
    errno = EDOM;
    report_double_free();
    report_foreign();
    _exit(errno == EDOM ? 7 : 8);
}

HAK_TEST(Report, ReportPolicyReportsAndGoesOnWithErrnoKept) {
    const struct process_result *result = run(report_and_go_on);
    HAK_EXPECT(result->exited);
    HAK_EXPECT_EQ(result->code, 7);
    HAK_EXPECT_EQ(lines(&result->errors), 2);
    HAK_EXPECT_EQ(result->output.length, 0);
}

static void report_without_standard_error(void) {
    hak_options.on_misuse = HAK_ON_MISUSE_REPORT;
    close(STDERR_FILENO);
    errno = EDOM;
    report_double_free();
    _exit(errno == EDOM ? 7 : 8);
}

HAK_TEST(Report, ClosedStandardErrorKeepsErrno) { HAK_EXPECT_EQ(run(report_without_standard_error)->code, 7); }

static void warn(void) { hak_report_warning("it is so", "what\n\x1b[1m", "do that"); }
static void warn_short(void) { hak_report_warning("it is so", NULL, NULL); }

HAK_TEST(Warning, IsOneLineAndGoesOn) {
    const struct process_result *result = run(warn);
    HAK_EXPECT(result->exited && result->code == 0);
    HAK_EXPECT_STREQ(result->errors.bytes, "hakmem: warning: what??[1m: it is so; do that\n");
    HAK_EXPECT_STREQ(run(warn_short)->errors.bytes, "hakmem: warning: it is so\n");
}

static void warn_long(void) {
    static char subject[100000];
    memset(subject, 'x', sizeof subject - 1);
    hak_report_warning("it is so", subject, "do that");
}

static void warn_too_long(void) {
    static char remedy[100000];
    memset(remedy, 'x', sizeof remedy - 1);
    hak_report_warning("it is so", "this", remedy);
}

HAK_TEST(Warning, LongTextIsCutToOneLine) {
    const struct process_result *result = run(warn_long);
    HAK_EXPECT_EQ(lines(&result->errors), 1);
    HAK_EXPECT(strstr(result->errors.bytes, "xxx...: it is so; do that\n") != NULL);
    result = run(warn_too_long);
    HAK_EXPECT_EQ(lines(&result->errors), 1);
    HAK_EXPECT_EQ(result->errors.length, TEXT_LINE_BYTES);
}

/* ---- Options ----------------------------------------------------------------------------------------- */

static char *variables[8]; /* the environment that the child shall have */

/* hak_options_init in a process with these variables only; it prints what came of them. */
static void init_and_print(void) {
    environ = variables;
    errno = EDOM;
    hak_options_init();
    printf("%d %lld%s", (int)hak_options.on_misuse, (long long)hak_options.purge_delay_ms,
           errno == EDOM ? "" : " errno changed");
    fflush(stdout);
}

/* The environment with one variable, or with two. */
static const struct process_result *init_with(const char *first, const char *second) {
    memset(variables, 0, sizeof variables);
    variables[0] = (char *)"PATH=/bin";
    variables[1] = (char *)first;
    variables[2] = (char *)second;
    return run(init_and_print);
}

HAK_TEST(Options, DefaultsHoldBeforeAnyInitialisation) {
    HAK_EXPECT_EQ(hak_options.on_misuse, HAK_ON_MISUSE_ABORT);
    HAK_EXPECT_EQ(hak_options.purge_delay_ms, 750);
}

HAK_TEST(Options, AllowedValuesAreTakenInSilence) {
    const char *cases[][3] = {
        {NULL, NULL, "0 750"},
        {"HAKMEM_ON_MISUSE=abort", NULL, "0 750"},
        {"HAKMEM_ON_MISUSE=ignore", NULL, "2 750"},
        {"HAKMEM_ON_MISUSE=report", NULL, "1 750"},
        {"HAKMEM_PURGE_DELAY_MS=-1", NULL, "0 -1"},
        {"HAKMEM_PURGE_DELAY_MS=0", NULL, "0 0"},
        {"HAKMEM_PURGE_DELAY_MS=25", "HAKMEM_ON_MISUSE=ignore", "2 25"},
        {"HAKMEM_PURGE_DELAY_MS=3600000", NULL, "0 3600000"},
        {"HAKMEMX=1", "hakmem_on_misuse=ignore", "0 750"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct process_result *result = init_with(cases[i][0], cases[i][1]);
        HAK_EXPECT_STREQ(result->output.bytes, cases[i][2]);
        HAK_EXPECT_STREQ(result->errors.bytes, "");
    }
}

static bool set_own(const char *value) {
    int64_t number;
    if (!hak_option_integer(value, 0, 9, &number)) return false;
    printf("own %d ", (int)number);
    return true;
}

static void init_with_own_option_and_print(void) {
    static const struct hak_option own = {"HAKMEM_OWN", "0 to 9, default 0", "of this build alone", set_own};
    hak_options_add(&own, 1);
    init_and_print();
}

HAK_TEST(Options, ABuildMayHaveOptionsOfItsOwn) {
    memset(variables, 0, sizeof variables);
    variables[0] = (char *)"HAKMEM_OWN=7";
    HAK_EXPECT(strstr(run(init_and_print)->errors.bytes, "no such option") != NULL);
    const struct process_result *result = run(init_with_own_option_and_print);
    HAK_EXPECT_STREQ(result->output.bytes, "own 7 0 750");
    HAK_EXPECT_STREQ(result->errors.bytes, "");
    variables[0] = (char *)"HAKMEM_OWN=10";
    HAK_EXPECT(strstr(run(init_with_own_option_and_print)->errors.bytes, "allowed: 0 to 9, default 0\n") != NULL);
    variables[0] = (char *)"HAKMEM_HELP=1";
    HAK_EXPECT(strstr(run(init_with_own_option_and_print)->errors.bytes,
                      "HAKMEM_OWN (0 to 9, default 0): of this build alone\n") != NULL);
}

HAK_TEST(Options, MalformedValuesKeepTheDefaultAndSayWhatIsAllowed) {
    const char *misuse[] = {"HAKMEM_ON_MISUSE=", "HAKMEM_ON_MISUSE", "HAKMEM_ON_MISUSE=Abort",
                            "HAKMEM_ON_MISUSE=ignore ", "HAKMEM_ON_MISUSE=1"};
    for (size_t i = 0; i < sizeof misuse / sizeof misuse[0]; i++) {
        const struct process_result *result = init_with(misuse[i], NULL);
        HAK_EXPECT_STREQ(result->output.bytes, "0 750");
        HAK_EXPECT_EQ(lines(&result->errors), 1);
        HAK_EXPECT(strstr(result->errors.bytes, misuse[i]) != NULL);
        HAK_EXPECT(strstr(result->errors.bytes, "allowed: abort, report or ignore, default abort\n") != NULL);
    }
    const char *delays[] = {"",
                            "-",
                            "-2",
                            "3600001",
                            "1e3",
                            " 1",
                            "1 ",
                            "+1",
                            "0x10",
                            "1.5",
                            "18446744073709551617",
                            "-9223372036854775808",
                            "99999999999999999999999"};
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        char variable[128];
        snprintf(variable, sizeof variable, "HAKMEM_PURGE_DELAY_MS=%s", delays[i]);
        const struct process_result *result = init_with(variable, NULL);
        HAK_EXPECT_STREQ(result->output.bytes, "0 750");
        HAK_EXPECT_EQ(lines(&result->errors), 1);
        HAK_EXPECT(strstr(result->errors.bytes, "allowed: -1 to 3600000, default 750\n") != NULL);
    }
}

HAK_TEST(Options, FramesAndSignalSayWhatIsAllowed) {
    const char *cases[][2] = {
        {"HAKMEM_PROFILE_FRAMES=33", "allowed: 0 to 32, default 32\n"},
        {"HAKMEM_PROFILE_FRAMES=-1", "allowed: 0 to 32, default 32\n"},
        {"HAKMEM_DUMP_SIGNAL=KILL", "allowed: HUP, INT, QUIT or TERM, default none\n"},
        {"HAKMEM_DUMP_SIGNAL=15", "allowed: HUP, INT, QUIT or TERM, default none\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct process_result *result = init_with(cases[i][0], NULL);
        HAK_EXPECT_EQ(lines(&result->errors), 1);
        HAK_EXPECT(strstr(result->errors.bytes, cases[i][1]) != NULL);
    }
    HAK_EXPECT_STREQ(init_with("HAKMEM_PROFILE_FRAMES=0", "HAKMEM_DUMP_SIGNAL=TERM")->errors.bytes, "");
}

HAK_TEST(Options, UnknownNamesAreNamedWithWhatIsKnown) {
    const char *names[] = {"HAKMEM_=1", "HAKMEM_ON_MISUSES=abort", "HAKMEM_ON_MISUS=abort", "HAKMEM_PURGE=1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct process_result *result = init_with(names[i], "HAKMEM_PURGE_DELAY_MS=5");
        HAK_EXPECT_STREQ(result->output.bytes, "0 5");
        HAK_EXPECT_EQ(lines(&result->errors), 1);
        HAK_EXPECT(strstr(result->errors.bytes, names[i]) != NULL);
        HAK_EXPECT(
            strstr(result->errors.bytes,
                   "known are HAKMEM_DUMP_SIGNAL, HAKMEM_GUARD, HAKMEM_HELP, HAKMEM_LEAKS, HAKMEM_NUMA, "
                   "HAKMEM_ON_MISUSE, HAKMEM_PROFILE, HAKMEM_PROFILE_FRAMES, HAKMEM_PROFILE_RATE, HAKMEM_PUBLISH, "
                   "HAKMEM_PURGE_DELAY_MS, HAKMEM_PURGE_THREAD, HAKMEM_STATS, HAKMEM_THP; "
                   "HAKMEM_HELP=1 explains them\n") != NULL);
    }
}

HAK_TEST(Options, HelpListsEveryOptionWithWhatIsAllowed) {
    const struct process_result *result = init_with("HAKMEM_HELP=1", "HAKMEM_ON_MISUSE=report");
    HAK_EXPECT_STREQ(result->output.bytes, "1 750");
    HAK_EXPECT_EQ(lines(&result->errors), 14);
    HAK_EXPECT(strstr(result->errors.bytes, "hakmem: option: HAKMEM_HELP (0 or 1, default 0): ") != NULL);
    HAK_EXPECT(strstr(result->errors.bytes, "HAKMEM_ON_MISUSE (abort, report or ignore, default abort): ") != NULL);
    HAK_EXPECT(strstr(result->errors.bytes, "HAKMEM_PURGE_DELAY_MS (-1 to 3600000, default 750): ") != NULL);
    HAK_EXPECT(strstr(result->errors.bytes, "HAKMEM_PURGE_THREAD (auto, 0 or 1, default auto): ") != NULL);
    HAK_EXPECT(strstr(result->errors.bytes, "HAKMEM_THP (never, madvise or auto, default auto): ") != NULL);
    HAK_EXPECT_STREQ(init_with("HAKMEM_HELP=0", NULL)->errors.bytes, "");
    HAK_EXPECT(strstr(init_with("HAKMEM_HELP=yes", NULL)->errors.bytes, "allowed: 0 or 1, default 0\n") != NULL);
}

static void report_in_silence(void) {
    hak_options.on_misuse = HAK_ON_MISUSE_IGNORE;
    report_double_free();
    _exit(7);
}

HAK_TEST(Report, IgnorePolicyIsSilent) {
    const struct process_result *result = run(report_in_silence);
    HAK_EXPECT_EQ(result->code, 7);
    HAK_EXPECT_EQ(result->errors.length, 0);
}

static void init_without_environment(void) {
    environ = NULL;
    hak_options_init();
    _exit(hak_options.on_misuse == HAK_ON_MISUSE_REPORT && hak_options.purge_delay_ms == 750 ? 7 : 8);
}

/* As before the C library's constructors. */
HAK_TEST_ISOLATED(Options, TheKernelsEnvironmentStandsInForOneThatIsNotSetYet, "HAKMEM_ON_MISUSE=report") {
    HAK_EXPECT_EQ(run(init_without_environment)->code, 7);
}

static bool is_secure;

/* In the place of the C library's: a test cannot rely on being able to start a set-user-ID program. */
unsigned long getauxval(unsigned long type) {
    unsigned long pair[2] = {AT_NULL, 0}, value = 0;
    if (type == AT_SECURE) return is_secure;
    const int file = open("/proc/self/auxv", O_RDONLY);
    while (read(file, pair, sizeof pair) == sizeof pair && pair[0] != AT_NULL) {
        if (pair[0] == type) value = pair[1];
    }
    close(file);
    return value;
}

static void init_securely(void) {
    static char *mixed[] = {(char *)"HAKMEM_ON_MISUSE=ignore",
                            (char *)"PATH=/bin",
                            (char *)"HAKMEM_STATS=text:/etc/passwd",
                            (char *)"HAKMEM_",
                            (char *)"HAKME=1",
                            NULL};
    environ = mixed;
    is_secure = true;
    hak_options_init();
    const bool left = environ[0] != NULL && environ[1] != NULL && environ[2] == NULL &&
                      strcmp(environ[0], "PATH=/bin") == 0 && strcmp(environ[1], "HAKME=1") == 0;
    _exit(left && hak_options.on_misuse == HAK_ON_MISUSE_ABORT && hak_options.stats_path[0] == '\0' ? 7 : 8);
}

HAK_TEST(Options, ASetUserIdProgramIgnoresThemAndHandsNoneOn) { HAK_EXPECT_EQ(run(init_securely)->code, 7); }

/* ---- Random numbers ---------------------------------------------------------------------------------- */

HAK_TEST(Random, FollowsTheDefinition) {
    /* From state 1: 1 ^ 1 << 13 = 0x2001; ^ >> 7 = 0x2041; ^ << 17 = 0x40822041. */
    uint64_t state = 1;
    HAK_EXPECT_EQ(random_xorshift64(&state), 0x40822041);
    HAK_EXPECT_EQ(state, 0x40822041);
    for (int i = 0; i < 1000000; i++) HAK_ASSERT_TRUE(random_xorshift64(&state) != 0);
}
