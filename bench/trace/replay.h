/* SPDX-License-Identifier: MIT */
/* One replay from its loaded trace to its figures. */
#ifndef BENCH_TRACE_REPLAY_H
#define BENCH_TRACE_REPLAY_H

#include "bench/worker/measure.h"
#include "bench/trace/replay_options.h"
#include "bench/trace/resident.h"
#include "bench/trace/schedule.h"

struct replay_result {
    uint64_t ns;             /* of the measured part */
    uint64_t own_bytes;      /* the replayer's, in memory all the time and in none of the figures below */
    uint64_t baseline_bytes; /* resident before the first call */
    uint64_t peak_bytes, rss_bytes;
    uint64_t live_blocks;       /* at the end */
    struct measure_usage usage; /* of the measured part */
    /* --memory */
    struct resident_record record;
    uint64_t after_free_bytes, after_second_bytes, after_decay_bytes, decay_ns;
};

/* One line of JSON: what replay.schema.json describes. */
void replay_print(const struct options *options, const struct schedule *schedule, const struct replay_result *result);

#endif
