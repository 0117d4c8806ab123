/* SPDX-License-Identifier: MIT */
/* The public functions of hakmem.h that read counts; read.h does the work. */
#include <string.h>

#include "hakmem/observe/read.h"

void hak_stats_get(struct hak_stats *stats) {
    struct stats_reading reading = {.threads = NULL};
    hak_stats_read(&reading);
    *stats = reading.stats;
}

bool hak_stats_get_classes(struct hak_stats *stats, struct hak_class_stats *classes, unsigned count) {
    if (count < HAK_CLASS_COUNT) {
        return false;
    }
    struct stats_reading reading = {.threads = NULL};
    hak_stats_read(&reading);
    *stats = reading.stats;
    memcpy(classes, reading.classes, sizeof reading.classes);
    return true;
}

size_t hak_stats_get_threads(struct hak_thread_stats *threads, size_t capacity) {
    struct stats_reading reading = {.threads = threads, .thread_capacity = capacity};
    hak_stats_read(&reading);
    return (size_t)reading.stats.threads;
}

bool hak_class_get_stats(unsigned class_index, struct hak_class_stats *stats) {
    if (class_index == 0 || class_index >= HAK_CLASS_COUNT) {
        return false;
    }
    struct stats_reading reading = {.threads = NULL};
    hak_stats_read(&reading);
    *stats = reading.classes[class_index];
    return true;
}

unsigned hak_class_count(void) { return HAK_CLASS_COUNT; }
