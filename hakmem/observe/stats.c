/* SPDX-License-Identifier: MIT */
/* The public functions of hakmem.h that read counts; read.h does the work.
 *
 * A reading takes 8 KiB, and the smallest stack that a thread may have is 16 KiB, of which thread-local storage takes a part. So
 * readings lie in static storage. Whoever comes while that is taken reads on its own stack: another thread, or a signal handler of
 * the same one. So does the child of a fork in which another thread had taken it. */
#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/observe/read.h"

static struct stats_reading stats_common; /* who has set stats_is_taken */
static uint32_t stats_is_taken;           /* atomic */

/* Copies what was asked for to `out`. */
typedef void stats_copy(const struct stats_reading *reading, void *out);

static HAK_NOINLINE void stats_read_on_stack(struct hak_thread_stats *threads, size_t capacity, stats_copy *copy,
                                             void *out) {
    struct stats_reading reading = {.threads = threads, .thread_capacity = capacity};
    hak_stats_read(&reading);
    copy(&reading, out);
}

static void stats_read(struct hak_thread_stats *threads, size_t capacity, stats_copy *copy, void *out) {
    uint32_t is_taken = 0;
    /* Acquire-release: pairs with the release below. */
    if (!hak_compare_exchange_acq_rel(&stats_is_taken, &is_taken, 1u)) {
        stats_read_on_stack(threads, capacity, copy, out);
        return;
    }
    stats_common.threads = threads;
    stats_common.thread_capacity = capacity;
    hak_stats_read(&stats_common);
    copy(&stats_common, out);
    /* Release: pairs with the exchange of the next one. */
    hak_store_release(&stats_is_taken, 0u);
}

static void copy_stats(const struct stats_reading *reading, void *out) { *(struct hak_stats *)out = reading->stats; }

void hak_stats_get(struct hak_stats *stats) { stats_read(NULL, 0, copy_stats, stats); }

struct stats_and_classes {
    struct hak_stats *stats;
    struct hak_class_stats *classes;
};

static void copy_stats_and_classes(const struct stats_reading *reading, void *out) {
    const struct stats_and_classes *both = out;
    *both->stats = reading->stats;
    memcpy(both->classes, reading->classes, sizeof reading->classes);
}

bool hak_stats_get_classes(struct hak_stats *stats, struct hak_class_stats *classes, unsigned count) {
    if (count < HAK_CLASS_COUNT) {
        return false;
    }
    stats_read(NULL, 0, copy_stats_and_classes, &(struct stats_and_classes){stats, classes});
    return true;
}

static void copy_thread_count(const struct stats_reading *reading, void *out) {
    *(size_t *)out = (size_t)reading->stats.threads;
}

size_t hak_stats_get_threads(struct hak_thread_stats *threads, size_t capacity) {
    size_t count = 0;
    stats_read(threads, capacity, copy_thread_count, &count);
    return count;
}

struct stats_class {
    unsigned class_index;
    struct hak_class_stats *stats;
};

static void copy_class(const struct stats_reading *reading, void *out) {
    const struct stats_class *one = out;
    *one->stats = reading->classes[one->class_index];
}

bool hak_class_get_stats(unsigned class_index, struct hak_class_stats *stats) {
    if (class_index == 0 || class_index >= HAK_CLASS_COUNT) {
        return false;
    }
    stats_read(NULL, 0, copy_class, &(struct stats_class){class_index, stats});
    return true;
}

unsigned hak_class_count(void) { return HAK_CLASS_COUNT; }
