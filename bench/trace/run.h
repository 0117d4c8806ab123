/* SPDX-License-Identifier: MIT */
/* Makes a schedule's calls, on as many threads as it has. One schedule a process. */
#ifndef BENCH_TRACE_RUN_H
#define BENCH_TRACE_RUN_H

#include "bench/trace/schedule.h"
#include "bench/trace/touch.h"
#include "bench/worker/latency.h"
#include "bench/worker/mode.h"

/* NULL where the rarer calls that the schedule has are all served by the object that serves malloc; else a sentence.
 * A preloaded library without pvalloc would leave those to the C library, and then be asked to free them.
 * contender_defect looks at the others. */
const char *run_defect(const struct schedule *schedule);

/* Before the clock starts: takes what the run itself needs. */
void run_prepare(struct schedule *schedule, enum touch touch, enum workload_mode mode);

/* All calls, the calling thread being the trace's first; returns when the last thread has ended. Ends the process with
 * status 1 where a call fails that had not failed when it was recorded. */
void run_schedule(void);

/* Frees what the trace left live. Afterwards the schedule is used up. */
void run_free_left(void);

/* Adds up what --latency timed on all threads; nothing in other modes. */
void run_latency(struct latency_pair *sum);

#endif
