/* SPDX-License-Identifier: MIT */
/* Resident and live bytes over time, for --memory.
 *
 * All threads count their calls of the allocator together. After every so many calls, the thread that made the last
 * one takes a sample, so that the number of samples does not depend on the machine and no further thread runs.
 * Resident bytes come from smaps_rollup, which walks the page tables: the counters of /proc/self/statm are
 * approximate on many kernels. */
#ifndef BENCH_WORKER_MEMORY_H
#define BENCH_WORKER_MEMORY_H

#include "hakmem/base/compiler.h"

/* Samples of a run that a report can rely on, and what one run keeps. */
#define MEMORY_SAMPLES_WANTED 50
#define MEMORY_SAMPLES_MAX 256

struct memory_sample {
    uint64_t ns; /* since memory_begin */
    uint64_t resident_bytes, live_bytes;
};

struct memory_record {
    struct memory_sample sample[MEMORY_SAMPLES_MAX]; /* in the order of their times */
    unsigned samples;
    unsigned mappings;           /* lines of /proc/self/maps, the most at any sample */
    uint64_t baseline_bytes;     /* resident before the first block */
    uint64_t after_free_bytes;   /* resident when every block is freed */
    uint64_t after_second_bytes; /* resident a second later, in which no thread asked the allocator for anything */
    uint64_t after_decay_bytes;  /* resident decay_ns later, likewise */
    uint64_t decay_ns;
    uint64_t live_bytes; /* at the end: 0 where every block was freed */
};

/* Takes the first sample. `calls`: about how many calls of memory_changed will come, which decides how
 * often a sample is taken. `own_bytes`: resident bytes that are not the allocator's, subtracted from every figure.
 * pre: no other thread calls memory_changed yet. Returns 0 or errno. */
int memory_begin(uint64_t calls, uint64_t own_bytes);

/* Counts a call that changes the live bytes by `change`. Any thread.
 * pre: for an allocation, before another thread can free the block; for a free, before the call. So live bytes are
 * never below 0. */
void memory_changed(int64_t change);

/* Takes the last sample. pre: no other thread calls memory_changed any more. */
void memory_stop(void);

/* Waits until resident memory is back at the baseline, at most `decay_ms`, and gives the record.
 * pre: every block is freed; after memory_stop. Returns 0 or errno, also for what a sample met. */
int memory_finish(unsigned decay_ms, struct memory_record *record);

#endif
