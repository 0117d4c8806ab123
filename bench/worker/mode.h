/* SPDX-License-Identifier: MIT */
/* What a run measures or checks beside its time. One thing at a time, since each changes what the others would find. */
#ifndef BENCH_WORKER_MODE_H
#define BENCH_WORKER_MODE_H

enum workload_mode {
    WORKLOAD_PLAIN,
    WORKLOAD_VERIFIED, /* every block carries marks that are checked */
    WORKLOAD_MEMORY,   /* every page of a block is written, live bytes are counted and sampled */
    WORKLOAD_LATENCY,  /* every call of the allocator is timed by itself */
    WORKLOAD_MODES,
};

#endif
