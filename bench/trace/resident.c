/* SPDX-License-Identifier: MIT */
/* Samples of resident memory. The kernel's exact figure, from smaps_rollup: the counters of /proc/self/statm are
 * approximate on many kernels. */
#include "bench/trace/resident.h"

#include "bench/worker/measure.h"
#include "hakmem/base/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t own_bytes, start_ns, step;                   /* constant while threads run */
static uint64_t calls;                                       /* atomic */
static int64_t live_bytes;                                   /* atomic */
static uint32_t taken;                                       /* atomic: indices drawn */
static int first_error;                                      /* atomic: 0, or what a sample met */
static struct resident_sample samples[RESIDENT_SAMPLES_MAX]; /* each written by the thread that drew its index */
static unsigned mappings[RESIDENT_SAMPLES_MAX];              /* likewise */

int resident_reset_peak(void) {
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    int error = write(file, "5", 1) == 1 ? 0 : errno; /* 5: the peak, says proc(5) */
    close(file);
    return error;
}

static void take_sample(int64_t live) {
    /* relaxed, here and below: an index is one thread's own, and all is read after the threads are joined */
    uint32_t index = hak_fetch_add_relaxed(&taken, 1u);
    if (index >= RESIDENT_SAMPLES_MAX) {
        return;
    }
    struct resident_sample *sample = &samples[index];
    uint64_t bytes = 0;
    int error = measure_resident_get(&bytes);
    if (error == 0) {
        error = measure_mappings_get(&mappings[index]);
    }
    if (error != 0) {
        hak_store_relaxed(&first_error, error);
    }
    sample->resident_bytes = bytes > own_bytes ? bytes - own_bytes : 0;
    /* A free may be counted before the allocation that another thread has made already. */
    sample->live_bytes = live > 0 ? (uint64_t)live : 0;
    sample->ns = measure_clock_ns() - start_ns;
}

int resident_start(uint64_t own, uint64_t operations) {
    own_bytes = own;
    step = operations / (RESIDENT_SAMPLES_MAX - 2) + 1; /* so that the first and the last have room */
    start_ns = measure_clock_ns();
    take_sample(0);
    return hak_load_relaxed(&first_error);
}

void resident_step(int64_t change) {
    int64_t live = hak_fetch_add_relaxed(&live_bytes, change) + change;
    if (hak_fetch_add_relaxed(&calls, 1) % step == step - 1) {
        take_sample(live);
    }
}

static int earlier(const void *left, const void *right) {
    uint64_t a = ((const struct resident_sample *)left)->ns, b = ((const struct resident_sample *)right)->ns;
    return (a > b) - (a < b);
}

int resident_finish(struct resident_record *record) {
    take_sample(hak_load_relaxed(&live_bytes));
    record->samples = taken < RESIDENT_SAMPLES_MAX ? taken : RESIDENT_SAMPLES_MAX;
    record->mappings = 0;
    for (uint32_t i = 0; i < record->samples; i++) {
        record->sample[i] = samples[i];
        record->mappings = mappings[i] > record->mappings ? mappings[i] : record->mappings;
    }
    qsort(record->sample, record->samples, sizeof record->sample[0], earlier);
    return hak_load_relaxed(&first_error);
}
