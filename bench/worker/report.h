/* SPDX-License-Identifier: MIT */
/* What a worker prints: lines of JSON, and the list of the workloads for readers. */
#ifndef BENCH_WORKER_REPORT_H
#define BENCH_WORKER_REPORT_H

#include "bench/worker/options.h"
#include "bench/worker/runner.h"

void report_list(void);
void report_list_json(void);

/* What worker.schema.json describes. */
void report_result(const struct options *options, const struct runner_result *result);

#endif
