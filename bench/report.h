/* SPDX-License-Identifier: MIT */
/* What a worker prints: lines of JSON, and the list of the workloads for readers. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/options.h"
#include "bench/runner.h"

void report_list(void);
void report_list_json(void);

/* What worker.schema.json describes. */
void report_result(const struct options *options, const struct runner_result *result);

#endif
