/* SPDX-License-Identifier: MIT */
/* A table of blocks that is larger than a thread's own, for workloads of one thread that keep many. */
#ifndef BENCH_WORKER_WORKLOADS_STORE_H
#define BENCH_WORKER_WORKLOADS_STORE_H

#include "bench/worker/workloads/block.h"

/* 256 MiB in blocks of 256 bytes on average. */
#define STORE_SLOTS (1024 * 1024)

/* Main thread only. Slots below thread->slots hold a live block between `prepare` and `finish`. */
extern void *store_block[STORE_SLOTS];
extern struct verify_expect store_expect[STORE_SLOTS]; /* --verify and --memory only */

/* A tag from random bits that are not those of the slot. */
HAK_ALWAYS_INLINE uint32_t store_tag(uint64_t random) { return (uint32_t)(random >> 32); }

/* Writes to the slots' pages, so that none is new to the process while it is measured. */
void store_touch(unsigned slots, enum workload_mode mode);

#endif
