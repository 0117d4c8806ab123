/* SPDX-License-Identifier: MIT */
/* How often threads met in the measured part of a run: hakmem/base/contention.h, in builds that count. In all others
 * these functions do nothing. Main thread only. */
#ifndef BENCH_WORKER_CONTENTION_H
#define BENCH_WORKER_CONTENTION_H

/* Begin and end the measured part, while other threads may run. */
void contention_begin(void);
void contention_end(void);

/* Prints the field `contention` of the line of JSON, after a comma. */
void contention_print(void);

#endif
