/* SPDX-License-Identifier: MIT */
/* HAKMEM_PUBLISH from inside: the page that a process publishes is its own, says what the statistics say, is made again where it
 * was closed, and goes with the threads that allocate. What a tool reads of it is tools/cli's to test.
 *
 * The page is found as others find it, by its name, but among the process's own mappings. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/observe/page.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/system.h"

#define NAME "/memfd:hakmem "
#define SECONDS 120 /* for what takes one */

/* A reading of the page. */
struct found {
    unsigned mappings;
    const struct publish_page *page;       /* a copy; NULL: there is none, or it was being written */
    uint64_t text[PUBLISH_TEXT_WORDS + 1]; /* ended by a NUL */
    size_t length;
};

static struct found found;

/* As another process reads it. Nothing orders this thread behind the one that maps the page, so it is not read in place. */
static const struct publish_page *copy_page(off_t address) {
    static struct publish_page copy;
    const off_t sequence = address + (off_t)offsetof(struct publish_page, sequence);
    uint64_t before, after;
    const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    const bool is_whole = pread(memory, &before, sizeof before, sequence) == (ssize_t)sizeof before &&
                          pread(memory, &copy, sizeof copy, address) == (ssize_t)sizeof copy &&
                          pread(memory, &after, sizeof after, sequence) == (ssize_t)sizeof after && before == after;
    close(memory);
    return is_whole ? &copy : NULL;
}

static void look(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    found.mappings = 0;
    found.page = NULL;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, NAME) == NULL) continue;
        found.mappings++;
        found.page = copy_page((off_t)strtoull(line, NULL, 16));
    }
    if (maps != NULL) fclose(maps);
}

/* The calls for which the thread that publishes may be started: by a thread that has magazines, on a slow path. */
static void call_slowly(void) {
    hak_free(hak_alloc(16));
    hak_free(hak_alloc((size_t)3 << 20));
}

/* Whether there is a page that was written to after *since; it is read then. */
static bool is_written_after(void *since) {
    call_slowly();
    look();
    if (found.page == NULL || hak_load_acquire(&found.page->clock_ms) <= *(uint64_t *)since) return false;
    if (!publish_read(found.page, found.text, &found.length)) return false;
    found.text[(found.length + 7) / 8] = 0;
    return true;
}

static void expect_page_after(uint64_t since) {
    HAK_EXPECT(system_wait_until(is_written_after, &since, SECONDS));
    HAK_EXPECT_EQ(found.mappings, 1);
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The number that follows the first `name` behind `group`; UINT64_MAX where there is none. */
static uint64_t number_of(const char *group, const char *name) {
    const char *at = strstr((const char *)found.text, group);
    at = at != NULL ? strstr(at, name) : NULL;
    at = at != NULL ? strchr(at, ':') : NULL;
    return at != NULL ? strtoull(at + 1, NULL, 10) : UINT64_MAX;
}

HAK_TEST_ISOLATED(Published, PageSaysWhatTheStatisticsSay, "HAKMEM_PUBLISH=1") {
    const uint64_t begun = now_ms();
    void *blocks[1000];
    for (unsigned i = 0; i < 1000; i++) HAK_ASSERT_TRUE((blocks[i] = hak_alloc(48)) != NULL);
    expect_page_after(begun);
    HAK_ASSERT_TRUE(found.page != NULL);
    /* A first page is of a process that lived for half a period at least. */
    HAK_EXPECT_GE(hak_load_acquire(&found.page->clock_ms), begun + 250);
    HAK_EXPECT_LE(hak_load_acquire(&found.page->clock_ms), now_ms());
    HAK_EXPECT_EQ(memcmp(found.page->magic, PUBLISH_MAGIC, sizeof found.page->magic), 0);
    HAK_EXPECT_EQ(found.page->layout, PUBLISH_LAYOUT);
    HAK_EXPECT_EQ(found.page->pid, getpid());
    HAK_EXPECT_EQ(hak_load_acquire(&found.page->period_ms), 500);
    HAK_EXPECT_EQ(number_of("\"tiny\"", "\"live_blocks\""), 1000);
    HAK_EXPECT_EQ(strlen((const char *)found.text), found.length);
    for (unsigned i = 0; i < 500; i++) hak_free(blocks[i]);
    /* One may be under way that began to read before. */
    expect_page_after(now_ms());
    expect_page_after(now_ms());
    HAK_EXPECT_EQ(number_of("\"tiny\"", "\"live_blocks\""), 500);
    for (unsigned i = 500; i < 1000; i++) hak_free(blocks[i]);
}

HAK_TEST_ISOLATED(Published, PageIsMadeAgainWhereTheProgramClosesIt, "HAKMEM_PUBLISH=1") {
    expect_page_after(0);
    const uint64_t written = found.page != NULL ? hak_load_acquire(&found.page->sequence) : 0;
    HAK_EXPECT_GT(written, 0);
    for (int descriptor = 3; descriptor < 4096; descriptor++) close(descriptor);
    expect_page_after(now_ms());
    expect_page_after(now_ms());
    HAK_ASSERT_TRUE(found.page != NULL);
    HAK_EXPECT_EQ(found.page->pid, getpid());
    /* Others find it by a descriptor. */
    char target[64] = "";
    bool has_descriptor = false;
    for (int descriptor = 3; descriptor < 65536 && !has_descriptor; descriptor++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
        const ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        has_descriptor = strncmp(target, NAME, sizeof NAME - 1) == 0;
    }
    HAK_EXPECT(has_descriptor);
}

HAK_TEST_ISOLATED(Published, ChildHasAPageOfItsOwn, "HAKMEM_PUBLISH=1") {
    expect_page_after(0);
    HAK_EXPECT_EXIT_OK({
        const uint64_t forked = now_ms();
        look();
        HAK_EXPECT_EQ(found.mappings, 0);
        expect_page_after(forked);
        HAK_EXPECT(found.page != NULL && found.page->pid == (uint32_t)getpid());
    });
    expect_page_after(now_ms());
    HAK_EXPECT(found.page != NULL && found.page->pid == (uint32_t)getpid());
}

/* The parent goes on writing to its own. */
static bool is_own_and_written_after(void *since) {
    return is_written_after(since) && found.mappings == 1 && found.page->pid == (uint32_t)getpid();
}

static void live_as_raw_child(void) {
    uint64_t cloned = now_ms();
    look();
    HAK_EXPECT_EQ(found.mappings, 1); /* its parent's */
    HAK_EXPECT(system_wait_until(is_own_and_written_after, &cloned, SECONDS));
}

HAK_TEST_ISOLATED(Published, ChildThatNoHandlerSawHasAPageOfItsOwn, "HAKMEM_PUBLISH=1") {
#ifdef HAK_TEST_TSAN
    HAK_SKIP("ThreadSanitizer does not know such children");
#endif
    expect_page_after(0);
    fflush(stdout);
    const unsigned failures = harness_failure_count();
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        live_as_raw_child();
        fflush(stdout);
        _exit(harness_failure_count() == failures ? 0 : 1);
    }
    int status = -1;
    HAK_EXPECT_EQ(waitpid(child, &status, 0), child);
    HAK_EXPECT_EQ(status, 0);
    expect_page_after(now_ms());
    HAK_EXPECT(found.page != NULL && found.page->pid == (uint32_t)getpid());
}

static bool is_gone(void *unused) {
    (void)unused;
    look();
    return found.mappings == 0;
}

static void *wait_for_page(void *unused) {
    (void)unused;
    expect_page_after(0);
    return NULL;
}

/* The main thread never allocates here: the library ends what it has for a process whose other threads are gone. */
HAK_TEST_ISOLATED(Published, PageGoesWithTheThreadsThatAllocateAndComesBackWithOthers, "HAKMEM_PUBLISH=1") {
    for (unsigned round = 0; round < 2; round++) {
        pthread_t thread;
        HAK_ASSERT_TRUE(pthread_create(&thread, NULL, wait_for_page, NULL) == 0);
        HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
        HAK_EXPECT(system_wait_until(is_gone, NULL, SECONDS));
    }
}

HAK_TEST_ISOLATED(Published, NothingIsPublishedWithoutTheOption, "") {
    const uint64_t begun = now_ms();
    while (now_ms() - begun < 1500) call_slowly();
    look();
    HAK_EXPECT_EQ(found.mappings, 0);
}
