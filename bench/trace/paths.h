/* SPDX-License-Identifier: MIT */
/* What each path of calls asked for and held, and the heap over time, as one JSON object on standard output. */
#ifndef BENCH_TRACE_PATHS_H
#define BENCH_TRACE_PATHS_H

#include "bench/trace/reader.h"

/* Checks all events, then prints. Time is counted in events. A list is meant to be read by tools/cli/trace_paths.py, which has
 * the names of its columns. */
bool paths_print(const struct trace *trace, struct trace_defect *defect);

#endif
