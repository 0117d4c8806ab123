/* SPDX-License-Identifier: MIT */
/* One reading in each of its forms. */
#ifndef HAKMEM_OBSERVE_WRITE_H
#define HAKMEM_OBSERVE_WRITE_H

#include "hakmem/observe/read.h"
#include "hakmem/base/text.h"

/* Threads that are written singly: those that began last. What the others did is in the sums. */
#define STATS_THREADS_MAX 128

/* The version of the JSON's layout, which its schema names: raised when a field changes its meaning or goes. */
#define STATS_JSON_VERSION 1

/* What hak_stats_write has on its caller's stack: some 20 KiB. */
struct stats_room {
    struct stats_reading reading;
    struct hak_thread_stats threads[STATS_THREADS_MAX];
    uint64_t begun[STATS_THREADS_MAX];
    char text[4096];
};

/* hak_stats_write in the caller's room, whatever that holds; it takes some KiB of stack. */
int hak_stats_write_in(struct stats_room *room, int fd, enum hak_stats_format format);

void hak_stats_write_text(struct hak_text *sink, const struct stats_reading *reading);
void hak_stats_write_json(struct hak_text *sink, const struct stats_reading *reading);
void hak_stats_write_prometheus(struct hak_text *sink, const struct stats_reading *reading);

/* "tiny", "l2", "l25", "huge" */
const char *hak_stats_pool_name(enum hak_pool pool);

/* A pool's sums; pool is not HAK_POOL_NONE. */
const struct hak_pool_stats *hak_stats_pool(const struct hak_stats *stats, enum hak_pool pool);

#endif
