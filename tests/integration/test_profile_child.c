/* SPDX-License-Identifier: MIT */
/* The profile in shared memory and children that no handler of fork sees, those of a raw clone and of _Fork: such a child has all
 * that its parent had, and the mapping of its parent's file, and must not write there.
 *
 * The file is found as others find it, by its name, but among the process's own mappings, and is held against what the process
 * says of its profile. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/hakmem.h"
#include "hakmem/observe/lost.h"
#include "hakmem/observe/profile_page.h"
#include "tests/harness/harness.h"

#define NAME "/memfd:" PROFILE_SHARE_LABEL " "
#define EVERY_BLOCK "HAKMEM_PROFILE=/dev/null HAKMEM_PROFILE_RATE=1"

#define SITES 8
#define BLOCKS 100
#define CHILDS_BLOCKS 1000

/* glibc 2.34 and later. */
extern pid_t _Fork(void) __attribute__((weak));

/* Names of sites: addresses of nothing else. */
static const char sites[SITES];

static void *blocks[BLOCKS];

/* The one mapping of a file of that name, which stays where it is as long as the process keeps the file. NULL: there is none, or
 * there are several */
static const struct hak_profile_table *shared_table(void) {
    char line[512];
    unsigned found = 0;
    uintptr_t start = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, NAME) == NULL) continue;
        found++;
        start = (uintptr_t)strtoull(line, NULL, 16);
    }
    if (maps != NULL) fclose(maps);
    return found == 1 ? (const struct hak_profile_table *)start : NULL;
}

/* A look at the file beside a reading of the profile. */
struct look {
    const struct hak_profile_table *table;
    uint32_t seen, different;
};

static bool is_same(const struct hak_profile_table *table, const struct profile_record *record,
                    const struct hak_profile_entry *entry) {
    return record->site == (uintptr_t)entry->site && record->size == entry->block_size &&
           record->allocations == entry->allocations && record->allocations - record->frees == entry->live &&
           record->asked == entry->asked && record->thread == entry->thread && record->rate == 1 &&
           record_caller_count(record) == entry->caller_count && record_is_cut(record) == entry->is_cut &&
           record_is_open(record) == entry->is_open &&
           memcmp(record_callers(table, record), entry->callers, entry->caller_count * sizeof *entry->callers) == 0;
}

static void compare(const struct hak_profile_entry *entry, void *argument) {
    struct look *look = argument;
    const uint32_t index = look->seen++;
    if (index >= look->table->used || !is_same(look->table, &look->table->records[index], entry)) look->different++;
}

/* What the file says is what the process says, record by record. */
static void expect_file_of_this_process(void) {
    struct look look = {.table = shared_table()};
    HAK_ASSERT_TRUE(look.table != NULL);
    hak_profile_read(compare, &look);
    HAK_EXPECT_EQ(look.table->magic, PROFILE_MAGIC);
    HAK_EXPECT_GT(look.seen, 0);
    HAK_EXPECT_EQ(look.table->used, look.seen);
    HAK_EXPECT_EQ(look.different, 0);
}

static void make_blocks(void) {
    for (unsigned i = 0; i < BLOCKS; i++) HAK_ASSERT_TRUE((blocks[i] = hak_alloc_at(100, &sites[i % 4])) != NULL);
    for (unsigned i = 0; i < BLOCKS; i += 3) hak_free(blocks[i]);
}

/* At a site that the parent does not know, then at one that it knows; and frees what the parent has. */
static void go_on_in_the_child(void) {
    for (unsigned i = 0; i < CHILDS_BLOCKS; i++) HAK_EXPECT(hak_alloc_at(3000, &sites[5]) != NULL);
    for (unsigned i = 0; i < CHILDS_BLOCKS; i++) HAK_EXPECT(hak_alloc_at(100, &sites[0]) != NULL);
    for (unsigned i = 1; i < BLOCKS; i += 3) hak_free(blocks[i]);
    expect_file_of_this_process();
}

static void answer_in_the_child(void) {
    hak_lost_answer(7);
    const struct hak_profile_table *table = shared_table();
    HAK_ASSERT_TRUE(table != NULL);
    HAK_EXPECT_EQ(hak_load_acquire(&table->answered), 7);
    HAK_EXPECT_EQ(table->lost_problem, 0);
    expect_file_of_this_process();
}

static void switch_in_the_child(void) {
    hak_profile_stop();
    const struct hak_profile_table *table = shared_table();
    HAK_ASSERT_TRUE(table != NULL);
    HAK_EXPECT_EQ(table->is_on, 0);
}

static pid_t raw_clone(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

static void in_child(pid_t (*start)(void), void (*child)(void)) {
    const unsigned failures = harness_failure_count();
    fflush(stdout);
    const pid_t pid = start();
    if (pid == 0) {
        child();
        fflush(stdout);
        _exit(harness_failure_count() == failures ? 0 : 1);
    }
    int status = -1;
    HAK_EXPECT_EQ(waitpid(pid, &status, 0), pid);
    HAK_EXPECT_EQ(status, 0);
}

static void expect_that_the_child_writes_nothing_here(pid_t (*start)(void)) {
    make_blocks();
    expect_file_of_this_process();
    const struct hak_profile_table *table = shared_table();
    HAK_ASSERT_TRUE(table != NULL);
    const uint64_t used = table->used;
    in_child(start, go_on_in_the_child);
    HAK_EXPECT_PTR_EQ(shared_table(), table);
    HAK_EXPECT_EQ(table->used, used);
    expect_file_of_this_process();
    /* The record that the child claimed has the same number here. */
    void *own = hak_alloc_at(500, &sites[6]);
    HAK_EXPECT(own != NULL);
    HAK_EXPECT_EQ(table->used, used + 1);
    expect_file_of_this_process();
    hak_free(own);
    expect_file_of_this_process();
}

HAK_TEST_ISOLATED(ProfileChild, OfARawCloneHasAFileOfItsOwn, EVERY_BLOCK) {
    expect_that_the_child_writes_nothing_here(raw_clone);
}

HAK_TEST_ISOLATED(ProfileChild, OfABareForkHasAFileOfItsOwn, EVERY_BLOCK) {
    if (_Fork == NULL) HAK_SKIP("the C library has no _Fork");
    expect_that_the_child_writes_nothing_here(_Fork);
}

HAK_TEST_ISOLATED(ProfileChild, OfAForkHasAFileOfItsOwn, EVERY_BLOCK) {
    expect_that_the_child_writes_nothing_here(fork);
}

/* Before its first sample, too. */
HAK_TEST_ISOLATED(ProfileChild, OfARawCloneAnswersInItsOwnFile, EVERY_BLOCK) {
#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
    HAK_SKIP("a scan for lost blocks reads all that a sanitizer has mapped");
#endif
    make_blocks();
    hak_lost_answer(5);
    const struct hak_profile_table *table = shared_table();
    HAK_ASSERT_TRUE(table != NULL);
    HAK_EXPECT_EQ(hak_load_acquire(&table->answered), 5); /* by a copy, which is another kind of child */
    in_child(raw_clone, answer_in_the_child);
    HAK_EXPECT_EQ(hak_load_acquire(&table->answered), 5);
    expect_file_of_this_process();
}

HAK_TEST_ISOLATED(ProfileChild, OfARawCloneIsSwitchedByItself, EVERY_BLOCK) {
    make_blocks();
    in_child(raw_clone, switch_in_the_child);
    const struct hak_profile_table *table = shared_table();
    HAK_ASSERT_TRUE(table != NULL);
    HAK_EXPECT_EQ(table->is_on, 1);
    expect_file_of_this_process();
}
