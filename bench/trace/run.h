/* SPDX-License-Identifier: MIT */
/* Makes a schedule's calls, on as many threads as it has. */
#ifndef BENCH_TRACE_RUN_H
#define BENCH_TRACE_RUN_H

#include "bench/trace/schedule.h"
#include "bench/trace/touch.h"

struct run_settings {
    enum touch touch;
    bool verify; /* mark every block and check the marks */
    bool memory; /* tell resident.h of each call */
};

/* All calls, the calling thread being the trace's first. Returns nanoseconds until the last thread has ended.
 * Ends the process with status 1 where a call fails that had not failed when it was recorded. */
uint64_t run_schedule(struct schedule *schedule, const struct run_settings *settings);

/* Frees what the trace left live. Afterwards the schedule is used up. */
void run_free_left(struct schedule *schedule, const struct run_settings *settings);

/* NULL where the rarer calls that the schedule has are all served by the object that serves malloc; else a sentence.
 * A preloaded library without pvalloc would leave those to the C library, and then be asked to free them.
 * contender_defect looks at the others. */
const char *run_defect(const struct schedule *schedule);

#endif
