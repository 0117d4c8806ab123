/* SPDX-License-Identifier: MIT */
/* Probes: one malloc and one free as they are compiled into the workloads, under fixed names.
 *
 * The hot-path test runs them under valgrind and looks at every instruction that they execute. */
#ifndef BENCH_WORKER_HOT_PATH_H
#define BENCH_WORKER_HOT_PATH_H

#include <stddef.h>

/* The largest size of the tiny patterns; of eight classes it is the fourth, so a comparison chain shows. */
#define HOT_PATH_SIZE 64

void *hot_path_malloc(size_t size);
void hot_path_free(void *p);

/* Calls the probes often enough that most calls of each find everything warm. */
void hot_path_exercise(void);

/* Prints, as a line of JSON, where the probes lie in this process and what they were built by. */
void hot_path_print(void);

#endif
