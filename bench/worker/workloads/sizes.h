/* SPDX-License-Identifier: MIT */
/* Block sizes by the distributions that papers and benchmarks give for programs; drawn before the clock starts. */
#ifndef BENCH_WORKER_WORKLOADS_SIZES_H
#define BENCH_WORKER_WORKLOADS_SIZES_H

#include "bench/worker/workloads/workload.h"

#define SIZES_MIN 16

/* Fills thread->size with sizes from SIZES_MIN to `size_max`, each size's frequency falling with its square. */
void sizes_draw_inverse_square(struct workload_thread *thread, uint32_t size_max);

/* Fills thread->size with nine parts in ten of six sizes, the rest equally from SIZES_MIN to `size_max`. */
void sizes_draw_few(struct workload_thread *thread, uint32_t size_max);

#endif
