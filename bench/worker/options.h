/* SPDX-License-Identifier: MIT */
/* A worker's arguments. Strict: what is not understood ends the process with usage and status 2. */
#ifndef BENCH_WORKER_OPTIONS_H
#define BENCH_WORKER_OPTIONS_H

#include "bench/worker/workloads/workload.h"

enum options_action {
    OPTIONS_RUN,       /* run a workload and print one line of JSON */
    OPTIONS_CONFIG,    /* print the switches that the contender was built with */
    OPTIONS_LIST,      /* print the workloads */
    OPTIONS_LIST_JSON, /* the same with all that is known of them, as one line of JSON */
    OPTIONS_HOT_PATH,  /* call the probes, and print where they are */
};

struct options {
    enum options_action action;
    const struct workload *workload; /* OPTIONS_RUN only, then never NULL */
    enum workload_mode mode;
    uint64_t operations; /* of each thread, a multiple of the workload's unit */
    uint64_t warm_up;    /* likewise; 0: none */
    uint64_t seed;
    unsigned threads;
    unsigned alignment; /* --verify: of every block of 16 bytes and more; 8 or 16 */
    unsigned decay_ms;  /* --memory: wait at most so long for memory to be given back */
};

/* pre: called once, from main. Does not return where the arguments are wrong or ask for help. */
void options_parse(int argc, char **argv, struct options *options);

#endif
