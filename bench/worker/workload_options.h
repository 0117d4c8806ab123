/* SPDX-License-Identifier: MIT */
/* A worker's arguments: what it runs, on how many threads, and how that is measured. */
#ifndef BENCH_WORKER_WORKLOAD_OPTIONS_H
#define BENCH_WORKER_WORKLOAD_OPTIONS_H

#include "bench/worker/options.h"
#include "bench/worker/workloads/workload.h"

enum worker_action {
    WORKER_RUN,       /* run a workload and print one line of JSON */
    WORKER_CONFIG,    /* print the switches that the contender was built with */
    WORKER_LIST,      /* print the workloads */
    WORKER_LIST_JSON, /* the same with all that is known of them, as one line of JSON */
    WORKER_HOT_PATH,  /* call the probes, and print where they are */
};

struct workload_options {
    struct options how; /* operations: of each thread, a multiple of the workload's unit */
    enum worker_action action;
    const struct workload *workload; /* WORKER_RUN only, then never NULL */
    uint64_t warm_up;                /* operations, as above; 0: none */
    unsigned threads;
};

/* pre: called once, from main. Does not return where the arguments are wrong or ask for help. */
void workload_options_parse(int argc, char **argv, struct workload_options *options);

#endif
