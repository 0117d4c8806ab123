/* SPDX-License-Identifier: MIT */
/* Runs a workload on its threads: first the warm-up, then the part that is measured; and checks what it did. */
#ifndef BENCH_WORKER_RUNNER_H
#define BENCH_WORKER_RUNNER_H

#include "bench/worker/report.h"
#include "bench/worker/workload_options.h"

/* pre: called once, on the main thread. Ends the process with status 1 and a message where threads cannot be started,
 * the kernel gives no figures, or the workload's counts do not add up. */
void runner_run(const struct workload_options *options, struct report *report);

#endif
