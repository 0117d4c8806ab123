/* SPDX-License-Identifier: MIT */
/* Runs wrong_calls for each kind of misuse and reads what it says: one line on standard error that names the pointer and
 * what is wrong, then SIGABRT; with HAKMEM_ON_MISUSE=report the same line, and
 * the program goes on; with ignore no line. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/flags/flags.h"
#include "tests/harness/harness.h"
#include "tests/harness/process.h"

/* A size from each pool; "": of a kind that takes none. */
static const char *const every_pool[] = {"100", "5000", "200000", "3000000", NULL};
static const char *const slab_pools[] = {"100", "5000", "200000", NULL};
static const char *const huge_pool[] = {"3000000", NULL};
static const char *const no_size[] = {"", NULL};

static unsigned count_lines(const char *text) {
    unsigned lines = 0;
    for (; *text != '\0'; text++) lines += *text == '\n';
    return lines;
}

/* Policies other than the default, which is to abort. */
static const char report[] = "HAKMEM_ON_MISUSE=report", ignore[] = "HAKMEM_ON_MISUSE=ignore";

/* "hakmem: OPERATION(POINTER): WHAT ..." */
static bool is_report(const char *line, const char *operation, const char *pointer, const char *what) {
    char start[256];
    snprintf(start, sizeof start, "hakmem: %s(%s): ", operation, pointer);
    return strncmp(line, start, strlen(start)) == 0 && strstr(line, what) != NULL;
}

static void expect_report(const char *kind, const char *size, const char *operation, const char *what,
                          const char *policy) {
    char path[] = "tests/misuse/wrong_calls";
    char *argv[] = {path, (char *)kind, size[0] != '\0' ? (char *)size : NULL, NULL};
    struct process_result *result = (struct process_result *)malloc(sizeof *result);
    HAK_ASSERT_TRUE(result != NULL);
    HAK_ASSERT_TRUE(process_run(argv, policy, result));
    bool ended_right =
        policy != NULL ? result->exited && result->code == 0 : !result->exited && result->code == SIGABRT;
    char pointer[64] = "";
    sscanf(result->output.bytes, "%63[^\n]", pointer);
    bool said_right = count_lines(result->output.bytes) == 1;
    if (policy == ignore) {
        said_right = said_right && result->errors.length == 0;
    } else {
        said_right = said_right && (HAK_GUARD_EXACT || count_lines(result->errors.bytes) == 1) &&
                     is_report(result->errors.bytes, operation, pointer, what);
    }
    if (!ended_right || !said_right) {
        harness_fail(__FILE__, __LINE__, "%s %s %s: %s %d, expected \"%s\" for \"%s\"\noutput: %s\nerrors: %s", kind,
                     size, policy != NULL ? policy : "", result->exited ? "status" : "signal", result->code, what,
                     pointer, result->output.bytes, result->errors.bytes);
    }
    free(result);
}

static void expect_reports(const char *kind, const char *const *sizes, const char *operation, const char *what) {
    for (; *sizes != NULL; sizes++) {
        expect_report(kind, *sizes, operation, what, NULL);
        expect_report(kind, *sizes, operation, what, report);
        expect_report(kind, *sizes, operation, what, ignore);
    }
}

HAK_TEST(Misuse, DoubleFreeAtOnce) { expect_reports("double_free_at_once", every_pool, "free", "double free"); }
HAK_TEST(Misuse, DoubleFreeLater) { expect_reports("double_free_later", every_pool, "free", "double free"); }
HAK_TEST(Misuse, DoubleFreeByAnotherThread) {
    expect_reports("double_free_other_thread", every_pool, "free", "double free");
}
HAK_TEST(Misuse, FreeAfterReturnToSlab) {
    expect_reports("free_after_return_to_slab", every_pool, "free", "double free");
}
/* A trimmed slab leaves its region behind, a huge block nothing. */
HAK_TEST(Misuse, FreeAfterTrim) {
    expect_reports("free_after_trim", slab_pools, "free", "double free");
    expect_reports("free_after_trim", huge_pool, "free", "foreign pointer");
}
HAK_TEST(Misuse, FreeInterior) { expect_reports("free_interior", every_pool, "free", "interior pointer"); }
HAK_TEST(Misuse, FreeMisaligned) { expect_reports("free_misaligned", every_pool, "free", "interior pointer"); }
HAK_TEST(Misuse, FreeHighBits) { expect_reports("free_high_bits", every_pool, "free", "foreign pointer"); }
HAK_TEST(Misuse, FreeStack) { expect_reports("free_stack", no_size, "free", "foreign pointer"); }
HAK_TEST(Misuse, FreeGlobal) { expect_reports("free_global", no_size, "free", "foreign pointer"); }
HAK_TEST(Misuse, FreeSmallInteger) { expect_reports("free_small_integer", no_size, "free", "foreign pointer"); }
HAK_TEST(Misuse, FreeForeignMapping) { expect_reports("free_foreign_mapping", no_size, "free", "foreign pointer"); }
HAK_TEST(Misuse, FreeForeignBlock) { expect_reports("free_foreign_block", every_pool, "free", "foreign pointer"); }
HAK_TEST(Misuse, FreeSizedWrong) { expect_reports("free_sized_wrong", every_pool, "free_sized", "wrong size"); }
HAK_TEST(Misuse, ReallocForeign) { expect_reports("realloc_foreign", no_size, "realloc", "foreign pointer"); }
HAK_TEST(Misuse, ReallocInterior) { expect_reports("realloc_interior", every_pool, "realloc", "interior pointer"); }
HAK_TEST(Misuse, ReallocAfterFree) { expect_reports("realloc_after_free", every_pool, "realloc", "double free"); }
