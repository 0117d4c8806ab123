/* SPDX-License-Identifier: MIT */
/* Samples of resident and live bytes (memory.h). Data belong to thread 0, which is also who calls. */
#include "bench/worker/memory.h"

#include "bench/worker/measure.h"

#include <time.h>

/* Of a run whose thread 0 makes two calls an operation; prepared blocks and unequal roles give more. */
#define SAMPLES_AIMED_AT 80
HAK_STATIC_ASSERT(SAMPLES_AIMED_AT * 2 / 3 >= MEMORY_SAMPLES_WANTED, "also where every interval is the longest");

#define DECAY_STEP_NS 20000000
#define SECOND_NS UINT64_C(1000000000)

static struct {
    struct workload_thread *threads;
    unsigned count;
    uint64_t start_ns;
    uint64_t interval; /* calls from one sample to the next, on average */
    uint64_t random;   /* xorshift state */
    int error;         /* the first that a sample met */
    struct memory_record record;
} state;

/* Live bytes of all threads, never below 0: every loss is read before every gain. A thread counts a block's gain
 * before it hands the block on, and the one who frees it counts the loss after that (release, and the acquire of
 * whatever handed it on); so whoever reads a loss with acquire reads its gain afterwards. */
static uint64_t live_bytes(void) {
    uint64_t lost = 0, gained = 0;
    for (unsigned i = 0; i < state.count; i++) {
        lost += hak_load_acquire(&state.threads[i].lost); /* acquire: as said above */
    }
    for (unsigned i = 0; i < state.count; i++) {
        gained += hak_load_acquire(&state.threads[i].gained); /* acquire: stays behind the loads above */
    }
    return gained - lost;
}

/* Calls until the next sample: from a half to one and a half of the average, so that samples do not keep step with a
 * workload that repeats itself. Never more, so that there are enough of them. */
static uint64_t next_interval(void) {
    uint64_t x = state.random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    state.random = x;
    return state.interval - state.interval / 2 + x % (state.interval / 2 * 2 + 1);
}

/* Every second sample goes, and from now on they are taken half as often. */
static void thin_out(void) {
    struct memory_record *record = &state.record;
    record->samples /= 2;
    for (unsigned i = 0; i < record->samples; i++) {
        record->sample[i] = record->sample[2 * i + 1];
    }
    state.interval *= 2;
}

HAK_COLD void memory_sample(struct workload_thread *thread) {
    struct memory_record *record = &state.record;
    if (record->samples == MEMORY_SAMPLES_MAX) {
        thin_out();
    }
    struct memory_sample *sample = &record->sample[record->samples++];
    unsigned mappings = 0;
    int error = measure_resident_get(&sample->resident_bytes);
    if (error == 0) {
        error = measure_mappings_get(&mappings);
    }
    state.error = state.error != 0 ? state.error : error;
    record->mappings = mappings > record->mappings ? mappings : record->mappings;
    sample->live_bytes = live_bytes();
    sample->ns = measure_clock_ns() - state.start_ns;
    thread->until_sample = next_interval();
}

int memory_begin(struct workload_thread *threads, unsigned count, uint64_t operations) {
    state.threads = threads;
    state.count = count;
    state.interval = 2 * operations / SAMPLES_AIMED_AT;
    if (state.interval == 0) {
        state.interval = 1;
    }
    state.random = 1;
    threads[0].until_sample = next_interval();
    state.start_ns = measure_clock_ns();
    return measure_resident_get(&state.record.baseline_bytes);
}

int memory_end(unsigned decay_ms, struct memory_record *record) {
    state.threads[0].until_sample = 0;
    int error = measure_resident_get(&state.record.after_free_bytes);
    const struct timespec step = {.tv_nsec = DECAY_STEP_NS};
    uint64_t start = measure_clock_ns(), waited = 0;
    state.record.after_decay_bytes = state.record.after_free_bytes;
    state.record.after_second_bytes = state.record.after_free_bytes;
    while (error == 0 && state.record.after_decay_bytes > state.record.baseline_bytes &&
           waited < (uint64_t)decay_ms * 1000000u) {
        nanosleep(&step, NULL);
        error = measure_resident_get(&state.record.after_decay_bytes);
        /* The first figure from a second on is the last that is kept here. */
        if (waited < SECOND_NS) {
            state.record.after_second_bytes = state.record.after_decay_bytes;
        }
        waited = measure_clock_ns() - start;
    }
    state.record.decay_ns = waited;
    state.record.live_bytes = live_bytes();
    *record = state.record;
    return state.error != 0 ? state.error : error;
}
