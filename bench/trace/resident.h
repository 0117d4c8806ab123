/* SPDX-License-Identifier: MIT */
/* Resident and live bytes over time, for --memory: taken between calls by whichever thread makes the call that is due,
 * so that no further thread runs. Nothing of it is in a run that is timed. bench/worker/memory.h does the same for the
 * worker's loops, where the first thread has calls all the time. */
#ifndef BENCH_TRACE_RESIDENT_H
#define BENCH_TRACE_RESIDENT_H

#include "hakmem/base/compiler.h"

/* Of a trace with as many calls; fewer calls give a sample each. */
#define RESIDENT_SAMPLES_MAX 128

struct resident_sample {
    uint64_t ns; /* since resident_start */
    uint64_t resident_bytes, live_bytes;
};

struct resident_record {
    struct resident_sample sample[RESIDENT_SAMPLES_MAX]; /* in the order of their times */
    uint32_t samples;
    unsigned mappings; /* the most at any sample */
};

/* Makes the greatest number of resident bytes so far count anew from now. Returns 0 or errno, as all here. */
int resident_reset_peak(void);

/* Takes the first sample. `own`: bytes to take off each; `operations`: calls that will come. */
int resident_start(uint64_t own, uint64_t operations);

/* A call was made that changed the live bytes by `change`. Any thread. */
void resident_step(int64_t change);

/* Takes the last sample. pre: all threads are joined. */
int resident_finish(struct resident_record *record);

#endif
