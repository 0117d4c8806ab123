/* SPDX-License-Identifier: MIT */
/* What is in a trace, as one JSON object on standard output. */
#ifndef BENCH_TRACE_INFO_H
#define BENCH_TRACE_INFO_H

#include "bench/trace/reader.h"

/* Checks all events, then prints. */
bool info_print(const struct trace *trace, struct trace_defect *defect);

#endif
