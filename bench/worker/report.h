/* SPDX-License-Identifier: MIT */
/* The result of a run, and its line of JSON, which worker.schema.json describes. A replay prints further fields. */
#ifndef BENCH_WORKER_REPORT_H
#define BENCH_WORKER_REPORT_H

#include "bench/worker/latency.h"
#include "bench/worker/measure.h"
#include "bench/worker/memory.h"
#include "bench/worker/options.h"

struct report {
    const char *workload;
    uint64_t threads;
    uint64_t operations;          /* of all threads in the measured part */
    struct measure_span span;     /* the measured part */
    struct measure_memory memory; /* after it */
    bool has_working_set;
    uint64_t working_set_bytes;  /* kept live by the measured part */
    uint64_t checksum;           /* of all that the run decides: no contender changes it */
    int64_t live_blocks;         /* allocated and not freed */
    struct latency_pair latency; /* --latency only */
    struct memory_record record; /* --memory only */
};

/* `print_more` prints further fields, each after a comma; NULL: none. */
void report_print(const struct options *options, const struct report *report, void (*print_more)(void));

#endif
