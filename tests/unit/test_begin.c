/* SPDX-License-Identifier: MIT */
/* The process begins when the library is loaded. Where it does not, which the linker's --wrap brings about here, it begins by the
 * first call, once: threads that call meanwhile wait, and the one that initialises does not wait for itself. */
#include <sched.h>
#include <stdlib.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define THREADS 6u

static bool may_begin;       /* atomic; what calls hak_process_begin before that finds nothing begun */
static uint32_t early_calls; /* atomic */
static uint32_t waiting;     /* atomic; threads that are about to wait */
static uint32_t inits;       /* atomic */
static uint32_t wakes;       /* atomic */

void __real_hak_process_begin(void);
void __wrap_hak_process_begin(void);
void __real_hak_node_init(void);
void __wrap_hak_node_init(void);
void __real_hak_os_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ms);
void __wrap_hak_os_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ms);
void __real_hak_os_wake(const uint32_t *word);
void __wrap_hak_os_wake(const uint32_t *word);

static bool is_late(void) { return getenv("HAK_TEST_BEGINS_LATE") != NULL; }

void __wrap_hak_process_begin(void) {
    /* Acquire: pairs with the release of the test. */
    if (is_late() && !hak_load_acquire(&may_begin)) {
        (void)hak_fetch_add_relaxed(&early_calls, 1u);
        return;
    }
    __real_hak_process_begin();
}

/* In the middle of the initialisation: until all others wait for its end. */
void __wrap_hak_node_init(void) {
    if (is_late()) {
        (void)hak_fetch_add_relaxed(&inits, 1u);
        __real_hak_process_begin(); /* as from a function of the C library that allocates */
        while (hak_load_acquire(&waiting) < THREADS - 1) sched_yield();
    }
    __real_hak_node_init();
}

void __wrap_hak_os_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ms) {
    (void)hak_fetch_add_acq_rel(&waiting, 1u);
    __real_hak_os_wait(word, expected, timeout_ms);
}

void __wrap_hak_os_wake(const uint32_t *word) {
    (void)hak_fetch_add_relaxed(&wakes, 1u);
    __real_hak_os_wake(word);
}

HAK_TEST_ISOLATED(Begin, ProcessBeginsBeforeMain, "HAKMEM_PURGE_DELAY_MS=123") {
    HAK_EXPECT_EQ(hak_load_relaxed(&hak_options.purge_delay_ms), 123);
    HAK_EXPECT_EQ(hak_load_relaxed(&wakes), 0); /* nobody waited */
}

HAK_TEST_ISOLATED(Begin, ProfileBeginsWithTheProcess, "HAKMEM_PROFILE=/dev/null") {
    HAK_EXPECT(hak_profile_table() != NULL);
}

HAK_TEST_ISOLATED(Begin, NoProfileBeginsThatNobodyWants, "") { HAK_EXPECT(hak_profile_table() == NULL); }

static void call_first(void *unused, unsigned index) {
    (void)unused;
    (void)index;
    hak_process_begin();
    HAK_EXPECT_EQ(hak_load_relaxed(&hak_options.purge_delay_ms), 123);
    hak_free(hak_alloc(100));
}

HAK_TEST_ISOLATED(Begin, ThreadsThatCallFirstWaitForOneOfThem, "HAKMEM_PURGE_DELAY_MS=123 HAK_TEST_BEGINS_LATE=1") {
    HAK_EXPECT_GE(hak_load_relaxed(&early_calls), 1); /* the library's constructor */
    HAK_EXPECT_NE(hak_load_relaxed(&hak_options.purge_delay_ms), 123);
    hak_store_release(&may_begin, true);
    threads_run(THREADS, call_first, NULL);
    HAK_EXPECT_EQ(hak_load_relaxed(&inits), 1);
    HAK_EXPECT_GE(hak_load_relaxed(&waiting), THREADS - 1);
    HAK_EXPECT_GE(hak_load_relaxed(&wakes), 1);
}
