/* SPDX-License-Identifier: MIT */
/* See publish.h. */
#include "hakmem/observe/publish.h"

#include <errno.h>
#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/c_library.h"
#include "hakmem/base/options.h"
#include "hakmem/base/warning.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/observe/lost.h"
#include "hakmem/observe/page.h"
#include "hakmem/observe/switch.h"
#include "hakmem/observe/write.h"
#include "hakmem/os/os.h"
#include "hakmem/process/fork.h"
#include "hakmem/process/own_thread.h"
#include "hakmem/process/purge_later.h"
#include "hakmem/sample/profile.h"

#define PUBLISH_PERIOD_MS 500

/* How long after a refusal the thread is asked for again. */
#define PUBLISH_AGAIN_MS 1000

/* The longest JSON: 14 members of at most 42 bytes a class, 10 a thread, 72 others; with `learn=elo` three more a class, which are
 * short: a player's name, a rating and matches. */
#define PUBLISH_LEARNED_BYTES ((size_t)72)
HAK_STATIC_ASSERT((size_t)42 * (14 * HAK_CLASS_COUNT + 10 * STATS_THREADS_MAX + 72 + 4 * 14) +
                          PUBLISH_LEARNED_BYTES * HAK_CLASS_COUNT <=
                      PUBLISH_TEXT_BYTES,
                  "a page holds every text");

static struct os_shared publish_file;             /* the publishing thread; `start` is NULL: there is none */
static uint64_t publish_text[PUBLISH_TEXT_WORDS]; /* the publishing thread */
static struct hak_thread_stats publish_threads[STATS_THREADS_MAX]; /* the publishing thread */
static uint64_t publish_begun[STATS_THREADS_MAX];                  /* the publishing thread */

/* hak_own_thread_unseen_children of the process that made the page. */
static uint32_t publish_children; /* the publishing thread */
static uint64_t publish_answered; /* the publishing thread; the last number that asked */
static bool publish_has_warned;   /* the publishing thread; this process has said that there is no page */
static bool publish_was_refused;  /* who starts the thread; this process has said that there is none */

static struct publish_page *publish_page(void) { return publish_file.start; }

/* Another thread may fork at any moment, and its child drops the page too (hak_publish_fork_child). It must not unmap what the
 * parent has unmapped already, since something of the program's may lie there by then. So the page is forgotten first. */
static void publish_drop_page(void) {
    const struct os_shared left = publish_file;
    if (left.start != NULL) {
        /* Acquire-release, so that it is stored before the system call. Pairs with the load of `start` in the child: munmap, and fork
         * when it copies the mappings and what lies in them, take the kernel's lock of the mappings. Where the copy comes second, the
         * child has neither the mapping nor `start`; where it comes first, it may have the mapping alone, and keeps it. */
        (void)hak_exchange_acq_rel(&publish_file.start, (void *)NULL);
        hak_os_shared_leave(&left);
    }
}

/* false: it cannot be made now, which is said once: what it takes may be short for long */
static bool publish_make_page(void) {
    const int error = hak_os_shared_create(PUBLISH_LABEL, PUBLISH_PAGE_BYTES, &publish_file);
    if (error != 0) {
        publish_file.start = NULL;
        if (!publish_has_warned) {
            hak_report_warning_to(hak_os_error_kept(),
                                  "HAKMEM_PUBLISH: nothing is published until the page can be made", NULL,
                                  hak_os_file_problem(error));
        }
        publish_has_warned = true;
        return false;
    }
    memcpy(publish_page()->magic, PUBLISH_MAGIC, sizeof publish_page()->magic);
    publish_page()->layout = PUBLISH_LAYOUT;
    publish_children = hak_own_thread_unseen_children();
    publish_answered = 0;
    hak_switch_begin(publish_page());
    publish_page()->pid = hak_os_process_id();
    return true;
}

/* Programs close descriptors that they do not know, as daemons do when they start: then the page is made again. A child that no handler of
 * fork saw has its parent's. */
static bool publish_has_page(void) {
    if (publish_page() != NULL && publish_children == hak_own_thread_unseen_children() &&
        hak_os_shared_is_open(&publish_file)) {
        return true;
    }
    publish_drop_page();
    return publish_make_page();
}

static void publish_once(void) {
    struct stats_reading reading = {
        .threads = publish_threads, .begun = publish_begun, .thread_capacity = STATS_THREADS_MAX};
    struct hak_text sink = text_memory((char *)publish_text, PUBLISH_TEXT_BYTES);
    hak_stats_read(&reading);
    hak_stats_write_json(&sink, &reading);
    if (hak_text_end(&sink) == 0) {
        publish_write(publish_page(), hak_os_clock_ms(), PUBLISH_PERIOD_MS, publish_text, sink.used);
    }
}

/* A tool writes the number, which is all that it may change: whatever it is, it costs one look. */
static void publish_answer(void) {
    /* Acquire needs no partner: a tool stores nothing else. */
    const uint64_t asked = hak_load_acquire(&publish_page()->asked);
    if (asked != publish_answered && hak_profile_table() != NULL) {
        publish_answered = asked;
        hak_lost_answer(asked);
    }
}

/* false: the program's threads have ended, but for one that has not allocated, perhaps */
static bool publish_wait(void) {
    const uint64_t end = hak_os_clock_ms() + PUBLISH_PERIOD_MS;
    for (uint64_t now; (now = hak_os_clock_ms()) < end;) {
        if (!hak_own_thread_sleep(OWN_THREAD_PUBLISH, end - now)) {
            return false;
        }
    }
    return !hak_own_thread_must_end(OWN_THREAD_PUBLISH);
}

static void publish_start(void);

static void publish_thread(void) {
    /* What lives no longer than this costs no page: scripts start many such processes. */
    while (publish_wait()) {
        /* Without one it is tried again: descriptors and memory are short for a time only. */
        if (publish_has_page()) {
            publish_once();
            hak_switch_answer(publish_page());
            publish_answer();
        }
    }
    publish_drop_page();
    hak_purge_start_later(publish_start, PURGE_START_AT_ONCE);
    hak_own_thread_leave(OWN_THREAD_PUBLISH);
}

/* One at a time: what waits is taken by one poll. */
static void publish_start(void) {
    hak_fork_release_left();
    const int error = hak_own_thread_start(OWN_THREAD_PUBLISH, publish_thread);
    if (error == EBUSY || error == ESRCH) { /* it is about to end, or so are the program's threads */
        hak_purge_start_later(publish_start, PURGE_START_AT_ONCE);
    } else if (error != 0) { /* what a thread takes may be short for a time only */
        if (!publish_was_refused) {
            hak_report_warning_to(hak_os_error_kept(),
                                  "HAKMEM_PUBLISH: nothing is published until a thread can be started", NULL,
                                  c_library_error_text(error));
        }
        publish_was_refused = true;
        hak_purge_start_later(publish_start, hak_os_clock_ms() + PUBLISH_AGAIN_MS);
    }
}

void hak_publish_init(void) {
    if (hak_options.publish) {
        hak_purge_start_later(publish_start, PURGE_START_AT_ONCE);
    }
}

void hak_publish_fork_child(void) {
    if (hak_options.publish) {
        publish_drop_page();
        publish_has_warned = publish_was_refused = false;
        hak_purge_start_later(publish_start, PURGE_START_AT_ONCE);
    }
}

/* Where the parent's thread was about to end, what that had asked for begins the child's. A copy of the process (hak_fork_copy) has none. */
void hak_publish_unseen_child(void) {
    if (hak_options.publish && !hak_own_thread_is_current() && hak_own_thread_gone(OWN_THREAD_PUBLISH) != 0) {
        publish_has_warned = publish_was_refused = false;
        hak_purge_start_later(publish_start, PURGE_START_AT_ONCE);
    }
}
