/* SPDX-License-Identifier: MIT */
/* The thread that purges comes late: it gets to run, or to sleep, only after all that it is to purge was freed, as on a
 * machine where it has to wait for a processor. No call of the program follows that could wake it. */
#include <stdatomic.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/process/purge_share.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/system.h"

#define DEADLINE_SECONDS 300
#define BLOCKS 4096
#define FROM ((size_t)16384)
#define TO ((size_t)20480)

/* Whether the thread starts only when the program has freed all, or before which of its sleeps it waits for that; whether
 * the program has; whether the thread was met where it waits. */
static atomic_bool starts_late, is_freed, was_late;
static atomic_int sleeps_late;

static void be_late(void) {
    atomic_store(&was_late, true);
    while (!atomic_load(&is_freed)) usleep(1000);
}

static void *(*thread_main)(void *);

static void *main_late(void *argument) {
    be_late();
    return thread_main(argument);
}

int __real_hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread);
int __wrap_hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread);

int __wrap_hak_os_start_thread(void *(*main)(void *), void *argument, uintptr_t *thread) {
    thread_main = main;
    return __real_hak_os_start_thread(atomic_load(&starts_late) ? main_late : main, argument, thread);
}

size_t __real_hak_purge_share_look_at(const struct purge_share *share, size_t committed);
size_t __wrap_hak_purge_share_look_at(const struct purge_share *share, size_t committed);

/* What it found is old when it goes to sleep. */
size_t __wrap_hak_purge_share_look_at(const struct purge_share *share, size_t committed) {
    const size_t look_at = __real_hak_purge_share_look_at(share, committed);
    if (atomic_fetch_sub(&sleeps_late, 1) == 1) be_late();
    return look_at;
}

static bool is_met(void *argument) {
    (void)argument;
    return atomic_load(&was_late);
}

static bool so_much_is_purged(void *bytes) { return census_all().purged_bytes >= *(size_t *)bytes; }

/* Blocks of one size make way for those of another, but for one in eight, which keeps its slab. */
static void drift(void) {
    static void *from[BLOCKS];
    size_t freed = 0;
    for (unsigned i = 0; i < BLOCKS; i++) from[i] = hak_alloc(FROM);
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (i % 8 != 0) {
            hak_free(from[i]);
            freed += FROM;
        }
        if (freed >= TO) {
            HAK_EXPECT(hak_alloc(TO) != NULL);
            freed -= TO;
        }
        /* 4 MiB wait, and the thread is there. */
        if (i == 300) HAK_EXPECT(system_wait_until(is_met, NULL, DEADLINE_SECONDS));
    }
    atomic_store(&is_freed, true);
}

static void expect_purged(void) {
    size_t expected = BLOCKS * FROM / 2;
    drift();
    HAK_EXPECT(system_wait_until(so_much_is_purged, &expected, DEADLINE_SECONDS));
}

HAK_TEST_ISOLATED(PurgeLate, AThreadThatStartsLate, "HAKMEM_PURGE_DELAY_MS=600000 HAKMEM_PURGE_THREAD=1") {
    atomic_store(&starts_late, true);
    expect_purged();
}

HAK_TEST_ISOLATED(PurgeLate, AThreadThatSleepsLate, "HAKMEM_PURGE_DELAY_MS=600000 HAKMEM_PURGE_THREAD=1") {
    atomic_store(&sleeps_late, 1);
    expect_purged();
}

/* When it has found that nothing more came, it sleeps for ten minutes. */
HAK_TEST_ISOLATED(PurgeLate, AThreadThatSleepsLateForLong, "HAKMEM_PURGE_DELAY_MS=600000 HAKMEM_PURGE_THREAD=1") {
    atomic_store(&sleeps_late, 2);
    expect_purged();
}
