/* See publish.h. */
#include "hakmem/publish/publish.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/options.h"
#include "hakmem/base/warning.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/publish/page.h"
#include "hakmem/slab/purge.h"
#include "hakmem/stats/write.h"

#define PUBLISH_PERIOD_MS 500

/* The longest JSON: 14 members of at most 42 bytes a class, 10 a thread, 70 others. */
HAK_STATIC_ASSERT((size_t)42 * (14 * HAK_CLASS_COUNT + 10 * STATS_THREADS_MAX + 70 + 4 * 14) <= PUBLISH_TEXT_BYTES,
                  "a page holds every text");

#define PUBLISH_PATH_BYTES 64

static struct publish_page *publish_page;      /* the publishing thread; NULL: there is none */
static uint32_t publish_pid;                   /* atomic; of the process that has made its page, or 0 */
static uint32_t publish_is_over;               /* atomic; the program is ending: no page is made any more */
static uint64_t publish_text[PUBLISH_TEXT_WORDS]; /* the publishing thread */
static struct hak_thread_stats publish_threads[STATS_THREADS_MAX]; /* the publishing thread */

static void publish_path(uint32_t pid, char path[PUBLISH_PATH_BYTES]) {
    struct stats_sink sink = {.is_memory = true, .text = path, .capacity = PUBLISH_PATH_BYTES - 1};
    sink_text(&sink, PUBLISH_FOLDER PUBLISH_NAME);
    sink_decimal(&sink, pid);
    path[sink.used] = '\0';
}

static void publish_remove(void) {
    /* Acquire-release: the thread and the destructor both come here; one of them removes the file. */
    uint32_t pid = hak_load_acquire(&publish_pid);
    if (pid == (uint32_t)getpid() && hak_compare_exchange_acq_rel(&publish_pid, &pid, 0u)) {
        char path[PUBLISH_PATH_BYTES];
        publish_path(pid, path);
        (void)os_shared_remove(path);
    }
}

/* false: it cannot be made, which is said, or the program is ending */
static bool publish_make_page(void) {
    const uint32_t pid = (uint32_t)getpid();
    char path[PUBLISH_PATH_BYTES];
    publish_path(pid, path);
    void *start;
    int error = os_shared_create(path, PUBLISH_PAGE_BYTES, &start);
    if (error == EEXIST && os_shared_remove(path) == 0) {
        /* Of an earlier program in this process, before exec, or of an earlier process of this number. */
        error = os_shared_create(path, PUBLISH_PAGE_BYTES, &start);
    }
    if (error != 0) {
        report_warning("HAKMEM_PUBLISH: nothing is published, the file cannot be made", path, strerrordesc_np(error));
        return false;
    }
    publish_page = start;
    memcpy(publish_page->magic, PUBLISH_MAGIC, sizeof publish_page->magic);
    publish_page->layout = PUBLISH_LAYOUT;
    publish_page->pid = pid;
    /* Sequentially consistent, as in the destructor: this side notes the file and looks whether the program is ending,
     * that side the other way round. One of them sees. */
    (void)hak_exchange_seq_cst(&publish_pid, pid);
    if (hak_load_seq_cst(&publish_is_over) != 0) {
        publish_remove();
        return false;
    }
    return true;
}

static void publish_drop_page(void) {
    if (publish_page != NULL) {
        (void)os_unmap_shared(publish_page, PUBLISH_PAGE_BYTES);
        publish_page = NULL;
    }
}

/* false: every thread that allocated has ended, but perhaps this one */
static bool publish_once(void) {
    struct stats_reading reading = {.threads = publish_threads, .thread_capacity = STATS_THREADS_MAX};
    struct stats_sink sink = {.is_memory = true, .text = (char *)publish_text, .capacity = PUBLISH_TEXT_BYTES};
    stats_read(&reading);
    stats_write_json(&sink, &reading);
    if (sink_end(&sink) == 0) {
        publish_write(publish_page, os_clock_ms(), PUBLISH_PERIOD_MS, publish_text, sink.used);
    }
    return reading.stats.threads > (hak_self != NULL);
}

static void publish_start(void);

static void *publish_thread(void *unused) {
    /* What lives no longer than this leaves nothing behind, however it ends: scripts start many such processes. */
    os_sleep_ms(PUBLISH_PERIOD_MS);
    if (publish_make_page()) {
        while (publish_once()) {
            os_sleep_ms(PUBLISH_PERIOD_MS);
        }
        publish_remove();
        publish_drop_page();
        /* A thread that has not allocated yet may still be there. */
        purge_start_later(publish_start);
    }
    return unused;
}

static void publish_start(void) {
    const int error = os_start_thread(publish_thread, NULL);
    if (error != 0) {
        report_warning("HAKMEM_PUBLISH: nothing is published, no thread can be started", NULL, strerrordesc_np(error));
    }
}

void publish_init(void) {
    if (hak_options.publish) {
        purge_start_later(publish_start);
    }
}

void publish_fork_child(void) {
    if (hak_options.publish) {
        publish_drop_page();
        purge_start_later(publish_start);
    }
}

__attribute__((destructor(101))) static void publish_at_exit(void) {
    (void)hak_exchange_seq_cst(&publish_is_over, 1u);
    publish_remove();
}
