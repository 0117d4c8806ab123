/* SPDX-License-Identifier: MIT */
/* hak_stats_write, and what its three forms have in common. */
#include "hakmem/observe/write.h"

#include <errno.h>

const char *hak_stats_pool_name(enum hak_pool pool) {
    static const char *const names[] = {
        [HAK_POOL_TINY] = "tiny", [HAK_POOL_L2] = "l2", [HAK_POOL_L25] = "l25", [HAK_POOL_HUGE] = "huge"};
    return names[pool];
}

const struct hak_pool_stats *hak_stats_pool(const struct hak_stats *stats, enum hak_pool pool) {
    const struct hak_pool_stats *const pools[] = {[HAK_POOL_TINY] = &stats->tiny,
                                                  [HAK_POOL_L2] = &stats->l2,
                                                  [HAK_POOL_L25] = &stats->l25,
                                                  [HAK_POOL_HUGE] = &stats->huge};
    return pools[pool];
}

int hak_stats_write_in(struct stats_room *room, int fd, enum hak_stats_format format) {
    static void (*const writers[])(struct hak_text *, const struct stats_reading *) = {
        [HAK_STATS_TEXT] = hak_stats_write_text,
        [HAK_STATS_JSON] = hak_stats_write_json,
        [HAK_STATS_PROMETHEUS] = hak_stats_write_prometheus,
    };
    if ((unsigned)format >= sizeof writers / sizeof *writers) {
        return EINVAL;
    }
    const int saved_errno = errno;
    struct hak_text sink = text_file(room->text, sizeof room->text, fd);
    room->reading.threads = room->threads;
    room->reading.begun = room->begun;
    room->reading.thread_capacity = STATS_THREADS_MAX;
    hak_stats_read(&room->reading);
    writers[format](&sink, &room->reading);
    const int error = hak_text_end(&sink);
    errno = saved_errno;
    return error;
}

int hak_stats_write(int fd, enum hak_stats_format format) {
    struct stats_room room;
    return hak_stats_write_in(&room, fd, format);
}
