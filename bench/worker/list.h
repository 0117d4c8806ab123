/* SPDX-License-Identifier: MIT */
/* What a worker prints with --list: a line for each workload; all that is known of them, as one line of JSON. */
#ifndef BENCH_WORKER_LIST_H
#define BENCH_WORKER_LIST_H

void list_print(void);
void list_print_json(void);

#endif
