/* SPDX-License-Identifier: MIT */
/* The thread that publishes, step by step: when it begins, sleeps and writes, what it answers, when it makes its page anew, and what
 * becomes of the page. Its main function runs on the test's thread, by a clock that is told, with a page that is the test's. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/options.h"
#include "hakmem/base/text.h"
#include "hakmem/base/warning.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/record.h"
#include "hakmem/observe/layout.h"
#include "hakmem/observe/lost.h"
#include "hakmem/observe/page.h"
#include "hakmem/observe/publish.h"
#include "hakmem/observe/read.h"
#include "hakmem/observe/switch.h"
#include "hakmem/observe/write.h"
#include "hakmem/os/os.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge_later.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/harness.h"

#define PUBLISHED "HAKMEM_PUBLISH=1"

static uint64_t now_ms = 5000;
static struct publish_page page;
static void (*later)(void); /* what waits for a poll that may begin a thread */
static uint64_t later_from_ms;
static unsigned laters, begun, left, warned;
static void (*thread_main)(void);
static int begin_error;
static unsigned created, left_file, switch_begun, switch_answered;
static int create_error;
static bool is_open;
static unsigned sleeps, ends_after; /* sleeps; 0: never */
static uint64_t slept_ms[16], longest_ms;
static void (*in_sleep)(void);
static void (*in_leave)(void); /* while the page is left */
static bool has_profile;
static uint64_t answers[8];
static unsigned answer_count;
static bool is_told; /* by the test that runs; the constructor of the library comes before it */

/* ---- What the thread calls ---- */

uint64_t __real_hak_os_clock_ms(void);
uint64_t __wrap_hak_os_clock_ms(void);
void __wrap_hak_purge_start_later(void (*start)(void), uint64_t from_ms);
int __wrap_hak_own_thread_start(enum own_thread_kind kind, void (*main)(void));
bool __wrap_hak_own_thread_sleep(enum own_thread_kind kind, uint64_t duration_ms);
bool __wrap_hak_own_thread_must_end(enum own_thread_kind kind);
void __wrap_hak_own_thread_leave(enum own_thread_kind kind);
uintptr_t __wrap_hak_own_thread_gone(enum own_thread_kind kind);
bool __wrap_hak_own_thread_is_current(void);
int __wrap_hak_os_shared_create(const char *label, size_t size, struct os_shared *out);
bool __wrap_hak_os_shared_is_open(const struct os_shared *shared);
void __wrap_hak_os_shared_leave(const struct os_shared *shared);
void __wrap_hak_switch_begin(struct publish_page *switched);
void __wrap_hak_switch_answer(struct publish_page *switched);
void __wrap_hak_lost_answer(uint64_t asked);
const struct hak_profile_table *__wrap_hak_profile_table(void);
void __wrap_hak_report_warning(const char *text, const char *subject, const char *remedy);
void __wrap_hak_report_warning_to(int descriptor, const char *text, const char *subject, const char *remedy);

uint64_t __wrap_hak_os_clock_ms(void) { return is_told ? now_ms : __real_hak_os_clock_ms(); }

void __wrap_hak_purge_start_later(void (*start)(void), uint64_t from_ms) {
    later = start;
    later_from_ms = from_ms;
    laters++;
}

int __wrap_hak_own_thread_start(enum own_thread_kind kind, void (*main)(void)) {
    HAK_EXPECT_EQ(kind, OWN_THREAD_PUBLISH);
    begun++;
    thread_main = main;
    return begin_error;
}

bool __wrap_hak_own_thread_must_end(enum own_thread_kind kind) {
    HAK_EXPECT_EQ(kind, OWN_THREAD_PUBLISH);
    return ends_after != 0 && sleeps >= ends_after;
}

bool __wrap_hak_own_thread_sleep(enum own_thread_kind kind, uint64_t duration_ms) {
    if (sleeps < sizeof slept_ms / sizeof slept_ms[0]) slept_ms[sleeps] = duration_ms;
    if (++sleeps > 1000) ends_after = 1; /* it never ends */
    now_ms += duration_ms < longest_ms ? duration_ms : longest_ms;
    if (in_sleep != NULL) in_sleep();
    return !__wrap_hak_own_thread_must_end(kind);
}

void __wrap_hak_own_thread_leave(enum own_thread_kind kind) {
    HAK_EXPECT_EQ(kind, OWN_THREAD_PUBLISH);
    left++;
}

static uintptr_t gone; /* who published in the parent; 0: nobody */
static bool is_own;

uintptr_t __wrap_hak_own_thread_gone(enum own_thread_kind kind) { return kind == OWN_THREAD_PUBLISH ? gone : 0; }

bool __wrap_hak_own_thread_is_current(void) { return is_own; }

int __wrap_hak_os_shared_create(const char *label, size_t size, struct os_shared *out) {
    HAK_EXPECT_STREQ(label, PUBLISH_LABEL);
    HAK_EXPECT_EQ(size, sizeof page);
    if (create_error != 0) {
        out->start = &page; /* nothing of it may be used */
        return create_error;
    }
    created++;
    memset(&page, 0, sizeof page);
    *out = (struct os_shared){.start = &page, .size = size, .descriptor = -1};
    is_open = true;
    return 0;
}

bool __wrap_hak_os_shared_is_open(const struct os_shared *shared) {
    HAK_EXPECT_PTR_EQ(shared->start, &page);
    return is_open;
}

void __wrap_hak_os_shared_leave(const struct os_shared *shared) {
    HAK_EXPECT_PTR_EQ(shared->start, &page);
    left_file++;
    if (left_file == 1 && in_leave != NULL) in_leave();
}

void __wrap_hak_switch_begin(struct publish_page *switched) { switch_begun += switched == &page; }

void __wrap_hak_switch_answer(struct publish_page *switched) { switch_answered += switched == &page; }

void __wrap_hak_lost_answer(uint64_t asked) {
    if (answer_count < sizeof answers / sizeof answers[0]) answers[answer_count] = asked;
    answer_count++;
}

/* What it is does not matter here. */
const struct hak_profile_table *__wrap_hak_profile_table(void) {
    return has_profile ? (const struct hak_profile_table *)&page : NULL;
}

void __wrap_hak_report_warning(const char *text, const char *subject, const char *remedy) {
    (void)subject;
    (void)remedy;
    HAK_EXPECT_EQ(strncmp(text, "HAKMEM_PUBLISH:", 15), 0);
    warned++;
}

void __wrap_hak_report_warning_to(int descriptor, const char *text, const char *subject, const char *remedy) {
    (void)descriptor;
    __wrap_hak_report_warning(text, subject, remedy);
}

/* ---- Tests ---- */

/* Sleeps take so long at most, and after so many the thread has to end. */
static void begin_thread(uint64_t longest, unsigned end) {
    is_told = true;
    longest_ms = longest;
    ends_after = end;
    HAK_EXPECT_EQ(laters, 1);
    HAK_ASSERT_TRUE(later != NULL);
    later();
    HAK_EXPECT_EQ(begun, 1);
    HAK_ASSERT_TRUE(thread_main != NULL);
    thread_main();
    is_told = false;
}

/* Twice a second, whoever wakes it meanwhile. A first page is of a process that lived for half of one. */
HAK_TEST_ISOLATED(PublishThread, WritesTwiceASecond, PUBLISHED) {
    begin_thread(200, 8);
    HAK_EXPECT_EQ(created, 1);
    HAK_EXPECT_EQ(slept_ms[0], 500);
    HAK_EXPECT_EQ(slept_ms[1], 300);
    HAK_EXPECT_EQ(slept_ms[2], 100);
    HAK_EXPECT_EQ(slept_ms[3], 500);
    HAK_EXPECT_EQ(page.clock_ms, 6000); /* the second; the third was due when it had to end */
    HAK_EXPECT_EQ(page.sequence, 4);
    HAK_EXPECT_EQ(page.period_ms, 500);
    HAK_EXPECT_EQ(page.layout, PUBLISH_LAYOUT);
    HAK_EXPECT_EQ(memcmp(page.magic, PUBLISH_MAGIC, sizeof page.magic), 0);
    HAK_EXPECT_EQ(page.pid, getpid());
    HAK_EXPECT_GT(page.length, 100);
    HAK_EXPECT_EQ(switch_begun, 1);
    HAK_EXPECT_EQ(switch_answered, 2);
    HAK_EXPECT_EQ(warned, 0);
    /* It goes with the program's threads, and comes back with others. */
    HAK_EXPECT_EQ(left_file, 1);
    HAK_EXPECT_EQ(left, 1);
    HAK_EXPECT_EQ(laters, 2);
    HAK_EXPECT(later != NULL);
    HAK_EXPECT_EQ(later_from_ms, PURGE_START_AT_ONCE);
}

/* What is published is what a reading of the same moment says. */
HAK_TEST_ISOLATED(PublishThread, WritesWhatTheStatisticsSay, PUBLISHED) {
    static uint64_t published[PUBLISH_TEXT_WORDS], begun_at[STATS_THREADS_MAX];
    static char own[PUBLISH_TEXT_BYTES];
    static struct hak_thread_stats threads[STATS_THREADS_MAX];
    static struct stats_reading reading = {.threads = threads, .begun = begun_at, .thread_capacity = STATS_THREADS_MAX};
    size_t length = 0;
    void *const p = hak_alloc(1000);
    begin_thread(500, 3);
    HAK_ASSERT_TRUE(publish_read(&page, published, &length));
    struct hak_text sink = text_memory(own, sizeof own);
    is_told = true; /* at the moment that the page has */
    now_ms = page.clock_ms;
    hak_stats_read(&reading);
    HAK_EXPECT_GE(reading.stats.tiny.allocations, 1);
    hak_stats_write_json(&sink, &reading);
    is_told = false;
    HAK_EXPECT_EQ(length, sink.used);
    HAK_EXPECT_EQ(memcmp(published, own, sink.used), 0);
    hak_free(p);
}

HAK_TEST_ISOLATED(PublishThread, MakesNoPageWhereThreadsEndWithinTheFirstHalfSecond, PUBLISHED) {
    begin_thread(200, 2);
    HAK_EXPECT_EQ(created, 0);
    HAK_EXPECT_EQ(left_file, 0);
    HAK_EXPECT_EQ(left, 1);
    HAK_EXPECT_EQ(laters, 2);
}

/* Also where the sleep ends just when the thread is told to. */
HAK_TEST_ISOLATED(PublishThread, EndsAtTheEndOfAPeriod, PUBLISHED) {
    begin_thread(500, 3);
    HAK_EXPECT_EQ(page.sequence, 4);
    HAK_EXPECT_EQ(sleeps, 3);
    HAK_EXPECT_EQ(left, 1);
}

static void close_page(void) {
    if (sleeps == 3) is_open = false;
}

HAK_TEST_ISOLATED(PublishThread, MakesAPageAnewThatWasClosed, PUBLISHED) {
    in_sleep = close_page;
    begin_thread(500, 5);
    HAK_EXPECT_EQ(created, 2);
    HAK_EXPECT_EQ(left_file, 2);
    HAK_EXPECT_EQ(switch_begun, 2);
    HAK_EXPECT_EQ(page.sequence, 4);
}

/* Before the third write, the fourth and the seventh. */
static void refuse_page(void) {
    if (sleeps == 3 || sleeps == 7) is_open = false;
    create_error = sleeps == 3 || sleeps == 4 || sleeps == 7 ? EMFILE : 0;
}

HAK_TEST_ISOLATED(PublishThread, SaysOnceThatItHasNoPageAndTriesAgain, PUBLISHED) {
    in_sleep = refuse_page;
    begin_thread(500, 9);
    HAK_EXPECT_EQ(created, 3);
    HAK_EXPECT_EQ(left_file, 3);
    HAK_EXPECT_EQ(warned, 1);
    HAK_EXPECT_EQ(switch_answered, 2 + 2 + 1);
    HAK_EXPECT_EQ(page.clock_ms, 5000 + 8 * 500);
    HAK_EXPECT_EQ(sleeps, 9);
    HAK_EXPECT_EQ(left, 1);
    HAK_EXPECT_EQ(laters, 2);
}

static void become_a_child_without_page(void) {
    create_error = EMFILE;
    if (sleeps == 3) hak_publish_fork_child();
}

HAK_TEST_ISOLATED(PublishThread, EachProcessSaysThatItHasNoPage, PUBLISHED) {
    in_sleep = become_a_child_without_page;
    begin_thread(500, 6);
    HAK_EXPECT_EQ(created, 0);
    HAK_EXPECT_EQ(left_file, 0);
    HAK_EXPECT_EQ(warned, 2);
}

/* Each number once, as long as the page is the same; those before there is a profile when there is one. */
static void ask(void) {
    if (sleeps == 2) page.asked = 5;
    if (sleeps == 4) has_profile = true;
    if (sleeps == 6) page.asked = 7;
    if (sleeps == 8) is_open = false;
    if (sleeps == 9) page.asked = 7;
}

HAK_TEST_ISOLATED(PublishThread, AnswersEachNumberOnce, PUBLISHED) {
    in_sleep = ask;
    begin_thread(500, 12);
    HAK_EXPECT_EQ(created, 2);
    HAK_EXPECT_EQ(answer_count, 3);
    HAK_EXPECT_EQ(answers[0], 5);
    HAK_EXPECT_EQ(answers[1], 7);
    HAK_EXPECT_EQ(answers[2], 7); /* of another page */
}

/* Another one is about to end, or all threads are. */
HAK_TEST_ISOLATED(PublishThread, BeginsLaterWhereItCannotBeginYet, PUBLISHED) {
    begin_error = EBUSY;
    later();
    HAK_EXPECT_EQ(laters, 2);
    begin_error = ESRCH;
    later();
    HAK_EXPECT_EQ(laters, 3);
    HAK_EXPECT_EQ(later_from_ms, PURGE_START_AT_ONCE);
    HAK_EXPECT_EQ(warned, 0);
    HAK_EXPECT_EQ(begun, 2);
}

/* A thread that the system refuses is asked for again, a second later, as often as it takes; each process says so once. */
HAK_TEST_ISOLATED(PublishThread, BeginsASecondLaterWhereNoThreadIsToBeHad, PUBLISHED) {
    const int refusals[] = {EAGAIN, ENOMEM, EPERM};
    is_told = true;
    for (unsigned i = 0; i < 3; i++) {
        begin_error = refusals[i];
        now_ms += 5000;
        later();
        HAK_EXPECT_EQ(laters, 2 + i);
        HAK_EXPECT_EQ(later_from_ms, now_ms + 1000);
        HAK_EXPECT_EQ(warned, 1);
    }
    hak_publish_fork_child();
    HAK_EXPECT_EQ(laters, 5);
    HAK_EXPECT_EQ(later_from_ms, PURGE_START_AT_ONCE);
    later();
    HAK_EXPECT_EQ(laters, 6);
    HAK_EXPECT_EQ(warned, 2);
    begin_error = 0;
    later();
    HAK_EXPECT_EQ(laters, 6);
    HAK_EXPECT_EQ(begun, 5);
    is_told = false;
}

static void become_a_child(void) {
    if (sleeps == 2) hak_publish_fork_child();
}

HAK_TEST_ISOLATED(PublishThread, ChildHasNoPageAndAThreadOfItsOwn, PUBLISHED) {
    in_sleep = become_a_child; /* the child goes on as the thread did, which shows that the page is another */
    begin_thread(500, 4);
    HAK_EXPECT_EQ(created, 2);
    HAK_EXPECT_EQ(left_file, 2);
    HAK_EXPECT_EQ(laters, 3);
}

/* Another thread forks when the page is unmapped: what its child drops may be the program's by then. */
HAK_TEST_ISOLATED(PublishThread, ChildOfAForkAmidTheDropLeavesWhatIsThere, PUBLISHED) {
    in_leave = hak_publish_fork_child;
    begin_thread(500, 3);
    HAK_EXPECT_EQ(created, 1);
    HAK_EXPECT_EQ(left_file, 1);
    HAK_EXPECT_EQ(left, 1);
    HAK_EXPECT_EQ(laters, 3); /* of the child, and of the thread that has ended */
}

HAK_TEST_ISOLATED(PublishThread, NothingBeginsWithoutTheOption, "") {
    HAK_EXPECT_EQ(laters, 0);
    hak_publish_fork_child();
    gone = 4096;
    hak_publish_unseen_child();
    HAK_EXPECT_EQ(laters, 0);
}

/* Where the parent published, and not in a copy of it. It says anew what it is refused. */
HAK_TEST_ISOLATED(PublishThread, ChildThatNoHandlerSawHasAThreadOfItsOwn, PUBLISHED) {
    begin_error = EAGAIN;
    later();
    HAK_EXPECT_EQ(laters, 2);
    hak_publish_unseen_child();
    gone = 4096;
    is_own = true;
    hak_publish_unseen_child();
    HAK_EXPECT_EQ(laters, 2);
    is_own = false;
    hak_publish_unseen_child();
    HAK_EXPECT_EQ(laters, 3);
    HAK_EXPECT_EQ(later_from_ms, PURGE_START_AT_ONCE);
    HAK_EXPECT_EQ(warned, 1);
    later();
    HAK_EXPECT_EQ(warned, 2);
}

/* Tools find the block that is parked for the profile by a sum and a step. */
HAK_TEST(PublishThread, LayoutSaysWhereParkedBlocksAre) {
    static struct hak_thread record;
    unsigned found = 0;
    for (unsigned i = 0; i + 1 < sizeof hak_layout.numbers / sizeof hak_layout.numbers[0]; i++) {
        if (hak_layout.numbers[i + 1] != sizeof(struct hak_thread_sample)) continue;
        const char *const parked = (const char *)&record + hak_layout.numbers[i];
        found += parked == (const char *)&record.samples[0].parked &&
                 parked + hak_layout.numbers[i + 1] == (const char *)&record.samples[1].parked;
    }
    HAK_EXPECT_EQ(found, 1);
}
