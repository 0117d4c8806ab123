/* SPDX-License-Identifier: MIT */
/* Samples of resident and live bytes (memory.h). One run a process. */
#include "bench/worker/memory.h"

#include "bench/worker/measure.h"
#include "hakmem/base/atomic.h"
#include "hakmem/base/random.h"

#include <pthread.h>
#include <time.h>

#define SAMPLES_AIMED_AT 80
HAK_STATIC_ASSERT(SAMPLES_AIMED_AT * 2 / 3 >= MEMORY_SAMPLES_WANTED, "also where every interval is the longest");

#define DECAY_STEP_NS 20000000
#define SECOND_NS UINT64_C(1000000000)

static uint64_t start_ns, own_bytes; /* constant while threads run */
static uint64_t calls;               /* atomic, relaxed */
static int64_t live_bytes; /* atomic, relaxed: a block's gain comes before its loss in any order of one word */
static uint64_t due;       /* atomic, relaxed; written with the lock: the number of the call that takes a sample */

/* Under the lock, while threads run. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t interval; /* calls from one sample to the next, on average */
static uint64_t random_state = 1;
static int first_error; /* that a sample met */
static struct memory_record record;

/* Calls until the next sample: from a half to one and a half of the average, so that samples do not keep step with a
 * workload that repeats itself. Never more, so that there are enough of them. */
static uint64_t next_interval(void) {
    return interval - interval / 2 + random_xorshift64(&random_state) % (interval / 2 * 2 + 1);
}

/* Drops every second sample; from now on they are taken half as often. */
static void thin_out(void) {
    record.samples /= 2;
    for (unsigned i = 0; i < record.samples; i++) {
        record.sample[i] = record.sample[2 * i + 1];
    }
    interval *= 2;
}

static int resident_bytes(uint64_t *bytes) {
    int error = measure_resident_get(bytes);
    *bytes = error == 0 && *bytes > own_bytes ? *bytes - own_bytes : 0;
    return error;
}

static void take_sample(void) {
    if (record.samples == MEMORY_SAMPLES_MAX) {
        thin_out();
    }
    struct memory_sample *sample = &record.sample[record.samples++];
    unsigned mappings = 0;
    int error = resident_bytes(&sample->resident_bytes);
    if (error == 0) {
        error = measure_mappings_get(&mappings);
    }
    first_error = first_error != 0 ? first_error : error;
    record.mappings = mappings > record.mappings ? mappings : record.mappings;
    sample->live_bytes = (uint64_t)hak_load_relaxed(&live_bytes);
    sample->ns = measure_clock_ns() - start_ns;
}

int memory_begin(uint64_t calls_to_come, uint64_t own) {
    interval = calls_to_come / SAMPLES_AIMED_AT;
    if (interval == 0) {
        interval = 1;
    }
    own_bytes = own;
    start_ns = measure_clock_ns();
    take_sample();
    record.baseline_bytes = record.sample[0].resident_bytes;
    due = next_interval();
    return first_error;
}

void memory_changed(int64_t change) {
    hak_fetch_add_relaxed(&live_bytes, change);
    const uint64_t call = hak_fetch_add_relaxed(&calls, 1) + 1;
    if (HAK_LIKELY(call < hak_load_relaxed(&due))) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (call >= due) { /* nobody else took the sample meanwhile */
        take_sample();
        hak_store_relaxed(&due, due + next_interval());
    }
    pthread_mutex_unlock(&lock);
}

void memory_stop(void) { take_sample(); }

int memory_finish(unsigned decay_ms, struct memory_record *result) {
    const struct timespec step = {.tv_nsec = DECAY_STEP_NS};
    const uint64_t most_ns = (uint64_t)decay_ms * 1000000u, start = measure_clock_ns();
    int error = resident_bytes(&record.after_free_bytes);
    record.after_decay_bytes = record.after_free_bytes;
    record.after_second_bytes = record.after_free_bytes;
    while (error == 0 && record.after_decay_bytes > record.baseline_bytes && record.decay_ns < most_ns) {
        nanosleep(&step, NULL);
        error = resident_bytes(&record.after_decay_bytes);
        /* The first figure from a second on is the last that is kept here. */
        if (record.decay_ns < SECOND_NS) {
            record.after_second_bytes = record.after_decay_bytes;
        }
        record.decay_ns = measure_clock_ns() - start;
    }
    record.live_bytes = (uint64_t)hak_load_relaxed(&live_bytes);
    *result = record;
    return first_error != 0 ? first_error : error;
}
