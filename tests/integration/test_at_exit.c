/* SPDX-License-Identifier: MIT */
/* What a process writes when it ends, and the options that ask for it: each case runs itself again with them, and reads what that
 * process wrote.
 *
 * The program has five blocks of its own when it ends, and freed three. Nobody else calls the allocator here. */
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "tests/harness/harness.h"
#include "tests/harness/process.h"

#define PROGRAM "HAK_TEST_AT_EXIT"

#define STACK_BYTES ((size_t)1 << 20)
#define HUGE_BYTES ((size_t)3 << 20)

/* Static: both are of some 32 KiB. */
static struct process_result result;
static char written[1 << 16];
static char folder[512];

static void *volatile kept[3]; /* volatile: nobody reads them */

/* Keeps three blocks, one of them huge; loses one that leads to another; frees two. */
static void *allocate(void *unused) {
    (void)unused;
    kept[0] = hak_alloc(100);
    kept[1] = hak_alloc(101);
    kept[2] = hak_alloc(HUGE_BYTES);
    void **lost = hak_alloc(5000);
    *lost = hak_alloc(5001);
    for (size_t i = 0; i < 2; i++) hak_free(hak_alloc(20000));
    return NULL;
}

/* On a stack that is gone afterwards: nothing there leads to what is lost. */
static void allocate_elsewhere(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HAK_ASSERT_TRUE(stack != MAP_FAILED && pthread_attr_init(&attributes) == 0);
    HAK_ASSERT_TRUE(pthread_attr_setstack(&attributes, stack, STACK_BYTES) == 0);
    HAK_ASSERT_TRUE(pthread_create(&thread, &attributes, allocate, NULL) == 0);
    HAK_ASSERT_TRUE(pthread_join(thread, NULL) == 0);
    HAK_EXPECT_EQ(munmap(stack, STACK_BYTES), 0);
}

/* Whether this process is the program of a case: then it has allocated. */
static bool is_program(void) {
    if (getenv(PROGRAM) == NULL) return false;
    allocate_elsewhere();
    hak_free(hak_alloc(20000)); /* so that this thread has a record */
    return true;
}

/* Runs the case as the program, to its end by exit. */
static void run_program(const char *name, const char *environment) {
    char filter[128], variables[1024], file[] = "/proc/self/exe";
    char *argv[] = {file, filter, NULL};
    (void)snprintf(filter, sizeof filter, "--gtest_filter=AtExit.%s", name);
    (void)snprintf(variables, sizeof variables, PROGRAM "=1 %s", environment);
    HAK_ASSERT_TRUE(process_run(argv, variables, &result));
}

static void expect_success(void) {
    HAK_EXPECT(result.exited);
    HAK_EXPECT_EQ(result.code, 0);
}

/* A new folder for files; "" where there is none. */
static void make_folder(void) {
    const char *where = getenv("TEST_TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/at_exit_XXXXXX", where != NULL ? where : "/tmp");
    HAK_ASSERT_TRUE(mkdtemp(folder) != NULL);
}

/* Takes the only file of the folder, and both away. */
static void take_written(void) {
    char pattern[sizeof folder + 2];
    glob_t found;
    written[0] = '\0';
    (void)snprintf(pattern, sizeof pattern, "%s/*", folder);
    HAK_ASSERT_TRUE(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1);
    HAK_EXPECT(strstr(found.gl_pathv[0], "%p") == NULL);
    const int file = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
    const ssize_t bytes = read(file, written, sizeof written - 1);
    written[bytes > 0 ? bytes : 0] = '\0';
    HAK_EXPECT_EQ(close(file), 0);
    HAK_EXPECT_EQ(unlink(found.gl_pathv[0]), 0);
    HAK_EXPECT_EQ(rmdir(folder), 0);
    globfree(&found);
}

static bool says(const char *text) { return strstr(result.errors.bytes, text) != NULL; }

struct row {
    char pool[16], size[16];
    uint64_t allocations, frees, live;
};

/* The row of a pool in the tables for people. */
static struct row row_of(const char *text, const char *pool) {
    struct row row = {.allocations = 0};
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        const int count = sscanf(line, "%15s %15s %" SCNu64 " %" SCNu64 " %" SCNu64, row.pool, row.size,
                                 &row.allocations, &row.frees, &row.live);
        if (count == 5 && strcmp(row.pool, pool) == 0 && strcmp(row.size, "all") == 0) return row;
    }
    return (struct row){.allocations = UINT64_MAX};
}

static void expect_row(const char *pool, uint64_t allocations, uint64_t frees) {
    const struct row row = row_of(result.errors.bytes, pool);
    HAK_EXPECT_EQ(row.live, allocations - frees);
    HAK_EXPECT_EQ(row.allocations - row.frees, row.live);
    if (says("counts are exact")) HAK_EXPECT_EQ(row.allocations, allocations);
}

HAK_TEST(AtExit, StatisticsAreTablesOnStandardError) {
    if (is_program()) return;
    run_program("StatisticsAreTablesOnStandardError", "HAKMEM_STATS=text");
    expect_success();
    HAK_EXPECT(strncmp(result.errors.bytes, "hakmem ", 7) == 0);
    expect_row("tiny", 2, 0);
    expect_row("l2", 5, 3);
    HAK_EXPECT(says("\nthread "));
    expect_row("l25", 0, 0);
    expect_row("huge", 1, 0);
}

/* A value of the lines of Prometheus' format; UINT64_MAX where there is none. */
static uint64_t value_of(const char *series) {
    char line[128];
    uint64_t value = UINT64_MAX;
    (void)snprintf(line, sizeof line, "\n%s ", series);
    const char *at = strstr(written, line);
    if (at != NULL) value = strtoull(at + strlen(line), NULL, 10);
    return value;
}

HAK_TEST(AtExit, StatisticsAreWrittenToAFileWithTheProcesssNumber) {
    char environment[1024];
    if (is_program()) return;
    make_folder();
    (void)snprintf(environment, sizeof environment, "HAKMEM_STATS=prometheus:%s/%%p.prom", folder);
    run_program("StatisticsAreWrittenToAFileWithTheProcesssNumber", environment);
    expect_success();
    HAK_EXPECT_STREQ(result.errors.bytes, "");
    take_written();
    HAK_EXPECT_EQ(value_of("hakmem_allocations_total{pool=\"huge\",class=\"0\",block_bytes=\"0\"}"), 1);
    HAK_EXPECT_EQ(value_of("hakmem_frees_total{pool=\"huge\",class=\"0\",block_bytes=\"0\"}"), 0);
    HAK_EXPECT_EQ(value_of("hakmem_huge_max_blocks"), 1);
    HAK_EXPECT_EQ(value_of("hakmem_threads"), 1);
    HAK_EXPECT(strstr(written, "\nhakmem_thread_frees_total{thread=\"") != NULL);
    HAK_EXPECT(value_of("hakmem_pool_cached_bytes{pool=\"l2\"}") != UINT64_MAX);
    HAK_EXPECT(strstr(written, "# TYPE hakmem_frees_total counter\n") != NULL);
}

static char *small_stack; /* the handler's, of STACK_BYTES */

/* Ends the process with a page of stack less some 300 bytes, however large the frame is that the kernel made: of 8 KiB more is left. Below
 * that nothing can be touched, as far as any frame reaches. */
static void end_in_handler(int number) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), here = (uintptr_t)&number;
    volatile char *const filler = __builtin_alloca((here & (page - 1)) + 256);
    filler[0] = 0;
    char *const end = (char *)((uintptr_t)filler & ~(page - 1));
    if (mprotect(small_stack, (size_t)(end - small_stack), PROT_NONE) != 0) _exit(2);
    exit(0);
}

static void end_on_small_stack(void) {
    small_stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const stack_t stack = {.ss_sp = small_stack, .ss_size = STACK_BYTES};
    const struct sigaction action = {.sa_handler = end_in_handler, .sa_flags = SA_ONSTACK};
    if (small_stack == MAP_FAILED || sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0) _exit(2);
    (void)raise(SIGUSR1);
    _exit(2);
}

/* Whether this process is the program of such a case; then it does not come back. */
static bool ends_on_small_stack(void) {
    if (!is_program()) return false;
    end_on_small_stack();
    return true;
}

#define BOUND "LD_BIND_NOW=1 " /* so that the loader looks up nothing on that stack */

HAK_TEST(AtExit, StatisticsNeedLittleStack) {
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    HAK_SKIP("what a sanitizer adds takes more stack");
#endif
    if (ends_on_small_stack()) return;
    run_program("StatisticsNeedLittleStack", BOUND "HAKMEM_STATS=text");
    expect_success();
    expect_row("huge", 1, 0);
}

HAK_TEST(AtExit, StatisticsInAFileNeedLittleStack) {
    char environment[1024];
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    HAK_SKIP("what a sanitizer adds takes more stack");
#endif
    if (ends_on_small_stack()) return;
    make_folder();
    (void)snprintf(environment, sizeof environment, BOUND "HAKMEM_STATS=json:%s/%%p.json", folder);
    run_program("StatisticsInAFileNeedLittleStack", environment);
    expect_success();
    take_written();
    HAK_EXPECT(strstr(written, "\"pid\":") != NULL);
}

HAK_TEST(AtExit, AFileThatCannotBeMadeIsAWarning) {
    if (is_program()) return;
    run_program("AFileThatCannotBeMadeIsAWarning",
                "HAKMEM_STATS=json:/proc/self/none/stats HAKMEM_PROFILE=/proc/self/none/profile");
    expect_success();
    HAK_EXPECT(says("the statistics of HAKMEM_STATS could not be written"));
    HAK_EXPECT(says("the profile could not be written") == !HAK_GUARD_FULL);
}

HAK_TEST(AtExit, LeaksAreListedAndThoseThatNothingReachesAreSaid) {
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    HAK_SKIP("a sanitizer's own memory keeps values of ended threads");
#endif
    if (is_program()) return;
    run_program("LeaksAreListedAndThoseThatNothingReachesAreSaid", "HAKMEM_LEAKS=1");
    expect_success();
    HAK_EXPECT(says(" in 5 blocks live, from 5 paths; exact\n"));
    HAK_EXPECT(says("hakmem: leaks:   of these, nothing reaches "));
    HAK_EXPECT(says(" in 2 blocks: 1 block directly, 1 block through others\n"));
    HAK_EXPECT(says("hakmem: leaks:   called from "));
}

HAK_TEST(AtExit, ProfilesForGooglePprofAreText) {
    char environment[1024];
    if (is_program()) return;
    make_folder();
    (void)snprintf(environment, sizeof environment, "HAKMEM_PROFILE=%s/%%p.heap HAKMEM_PROFILE_RATE=1", folder);
    run_program("ProfilesForGooglePprofAreText", environment);
    expect_success();
    take_written();
    uint64_t live = 0, live_bytes = 0, all = 0, all_bytes = 0;
    HAK_EXPECT_EQ(sscanf(written, "heap profile: %" SCNu64 ": %" SCNu64 " [%" SCNu64 ": %" SCNu64 "] @ heapprofile\n",
                         &live, &live_bytes, &all, &all_bytes),
                  4);
    HAK_EXPECT_EQ(live, 5);
    HAK_EXPECT_EQ(all, 8);
    HAK_EXPECT_LT(HUGE_BYTES + 100 + 101 + 5000 + 5001, live_bytes);
    HAK_EXPECT_LE(live_bytes + (uint64_t)3 * 20000, all_bytes);
    HAK_EXPECT(strstr(written, "\nMAPPED_LIBRARIES:\n") != NULL);
}

HAK_TEST(AtExit, ASignalWritesTheListAndEndsTheProcess) {
    if (is_program()) {
        (void)raise(SIGTERM);
        return;
    }
    run_program("ASignalWritesTheListAndEndsTheProcess", "HAKMEM_LEAKS=1 HAKMEM_DUMP_SIGNAL=TERM");
    HAK_EXPECT(!result.exited);
    HAK_EXPECT_EQ(result.code, SIGTERM);
    HAK_EXPECT(says(" in 5 blocks live, from 5 paths; exact\n"));
    HAK_EXPECT(!says("nothing reaches"));
}

HAK_TEST(AtExit, OptionsAreListedAndThoseThatAreNoneAreSaid) {
    if (is_program()) return;
    run_program("OptionsAreListedAndThoseThatAreNoneAreSaid",
                "HAKMEM_HELP=1 HAKMEM_NONE=1 HAKMEM_GUARD=zero HAKMEM_STATS=yaml HAKMEM_LEAKS=2 "
                "HAKMEM_DUMP_SIGNAL=KILL HAKMEM_STATS=text:");
    expect_success();
    HAK_EXPECT(says("hakmem: option: HAKMEM_PURGE_DELAY_MS (-1 to 3600000, default 750): "));
    HAK_EXPECT(says("no such option"));
    HAK_EXPECT(says("known are HAKMEM_DUMP_SIGNAL, HAKMEM_GUARD, "));
    HAK_EXPECT(says("value not allowed, the default holds"));
    HAK_EXPECT(says("allowed: text, json or prometheus, each alone or with :FILE, default none"));
    HAK_EXPECT(says("allowed: none, default none") == !HAK_GUARD_FULL);
    HAK_EXPECT(!says("\n  pool     size"));
}
