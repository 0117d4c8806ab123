/* SPDX-License-Identifier: MIT */
/* Runs a workload on its threads: first the warm-up, then the part that is measured; and checks what it did. */
#ifndef BENCH_WORKER_RUNNER_H
#define BENCH_WORKER_RUNNER_H

#include "bench/worker/latency.h"
#include "bench/worker/measure.h"
#include "bench/worker/memory.h"
#include "bench/worker/options.h"

struct runner_result {
    uint64_t ns;                  /* of the measured part */
    uint64_t operations;          /* of all threads in it */
    struct measure_usage usage;   /* in it */
    struct measure_memory memory; /* after it */
    uint64_t working_set_bytes;   /* kept live by the measured part; 0: the pattern makes it */
    uint64_t checksum;            /* of all random decisions and of what was written; no contender changes it */
    int64_t live_blocks;          /* blocks that were allocated and not freed: 0 */
    struct latency_pair latency;  /* --latency only */
    struct memory_record record;  /* --memory only */
};

/* pre: called once, on the main thread. Ends the process with status 1 and a message where threads cannot be started,
 * the kernel gives no figures, or the workload's counts do not add up. */
void runner_run(const struct options *options, struct runner_result *result);

/* Ends the process with status 1. `error` is an errno value or 0. */
_Noreturn void runner_fail(const char *what, int error);

#endif
