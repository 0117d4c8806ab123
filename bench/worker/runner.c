/* SPDX-License-Identifier: MIT */
/* Threads, barriers and clock of a run, and its self-check.
 *
 * The main thread is the workload's thread 0; with one thread no other is ever started. A barrier stands before and
 * after each run; the clock is read by the main thread between the two.
 *
 * The self-check holds in every mode and costs the loops a few additions a block, or a unit where blocks are bare:
 *
 *   at each call  there is a block                        workloads/block.h
 *   in the run    sum of allocated == sum of freed == operations
 *   at the end    sum of allocated == sum of freed      nothing is live
 *                 sum of written   == sum of read       every block held what was written into it
 *                 wrong            == 0 */
#include "bench/worker/runner.h"

#include "bench/worker/contention.h"
#include "bench/worker/fail.h"
#include "bench/worker/memory.h"
#include "bench/worker/verify.h"
#include "bench/worker/workloads/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

/* Static, so that the worker asks the allocator for nothing. Each thread uses its own; rings by neighbours. */
static struct workload_thread threads[WORKLOAD_THREADS_MAX];
static struct handover_ring rings[WORKLOAD_THREADS_MAX];
static struct latency_pair latencies[WORKLOAD_THREADS_MAX];
static struct workload_tally during[WORKLOAD_THREADS_MAX]; /* of the measured part; each thread its own */
static const struct workload_options *options;             /* constant after the start */
static pthread_barrier_t barrier;

static void wait_for_all(void) {
    if (options->threads > 1) {
        pthread_barrier_wait(&barrier);
    }
}

HAK_COLD _Noreturn void block_missing(void) {
    char text[160];
    snprintf(text, sizeof text, "%s: the allocator gave no block", options->workload->name);
    worker_fail(text, 0);
}

/* All that the clock covers. A function of its own, so that callgrind can count its instructions alone. */
HAK_NOINLINE static void measured_part(workload_run *run, struct workload_thread *thread, uint64_t operations) {
    run(thread, operations);
}

static void begin(struct workload_thread *thread, uint64_t operations) {
    const struct workload *workload = options->workload;
    thread->operations = operations;
    thread->slots = operations < workload->store_slots ? (unsigned)operations : workload->store_slots;
    if (workload->prepare != NULL) {
        workload->prepare(thread);
    }
    if (options->how.mode == WORKLOAD_LATENCY) {
        latency_clear(thread->latency);
    }
    during[thread->index] = thread->tally;
}

static void end(struct workload_thread *thread) {
    struct workload_tally *counts = &during[thread->index];
    counts->allocated = thread->tally.allocated - counts->allocated;
    counts->freed = thread->tally.freed - counts->freed;
    counts->resized = thread->tally.resized - counts->resized;
    if (options->workload->finish != NULL) {
        options->workload->finish(thread);
    }
}

/* One run of the workload. The main thread alone passes a span, which becomes that of the measured part. */
static void run_once(struct workload_thread *thread, uint64_t operations, struct measure_span *span) {
    workload_run *run = options->workload->run[options->how.mode];
    begin(thread, operations);
    wait_for_all();
    if (span != NULL) {
        contention_begin();
        worker_require(measure_start(span), "the kernel does not tell faults");
    }
    measured_part(run, thread, operations);
    wait_for_all();
    if (span != NULL) {
        worker_require(measure_stop(span), "the kernel does not tell faults");
        contention_end();
    }
    end(thread);
}

/* --memory: between these two barriers every thread has freed all and is still there, asking for nothing. */
static void rest(void) { wait_for_all(); }

static void *other_thread(void *argument) {
    struct workload_thread *thread = argument;
    run_once(thread, options->warm_up, NULL);
    run_once(thread, options->how.operations, NULL);
    if (options->how.mode == WORKLOAD_MEMORY) {
        rest();
        rest();
    }
    return NULL;
}

/* Different threads and seeds get states far apart: splitmix64's increment and first multiplier. */
static uint64_t random_state(unsigned index) {
    uint64_t x = (options->how.seed * WORKLOAD_THREADS_MAX + index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x != 0 ? x : 1;
}

/* Every page of the tables is written with --memory, so that the blocks are all that grows. */
static void set_up_threads(void) {
    verify_expect_alignment(options->how.alignment);
    for (unsigned i = 0; i < options->threads; i++) {
        struct workload_thread *thread = &threads[i];
        if (options->how.mode == WORKLOAD_MEMORY) {
            block_touch_all(thread, 0, sizeof *thread);
            block_touch_all(&rings[i], 0, sizeof rings[i]);
        }
        thread->random = random_state(i);
        thread->latency = &latencies[i];
        thread->mode = options->how.mode;
        thread->index = i;
        thread->threads = options->threads;
        thread->rings = rings;
        thread->outgoing = &rings[i];
        thread->incoming = &rings[(i + options->threads - 1) % options->threads];
    }
    if (options->how.mode == WORKLOAD_MEMORY) {
        store_touch(options->workload->store_slots, options->how.mode);
        worker_require(memory_begin(2 * options->how.operations * options->threads, 0),
                       "the kernel does not tell memory");
    }
}

static HAK_COLD _Noreturn void fail_check(const char *what, uint64_t is, uint64_t wanted) {
    char text[160];
    snprintf(text, sizeof text, "self-check of %s: %s: %" PRIu64 " in place of %" PRIu64, options->workload->name, what,
             is, wanted);
    worker_fail(text, 0);
}

static void check(const char *what, uint64_t is, uint64_t wanted) {
    if (is != wanted) {
        fail_check(what, is, wanted);
    }
}

/* One step of a hash; the multiplier is that of the 64-bit FNV hash. */
static uint64_t mixed_in(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

/* pre: all other threads have ended. */
static void check_counts(struct report *report) {
    struct workload_tally sum = {0}, measured = {0};
    for (unsigned i = 0; i < options->threads; i++) {
        workload_tally_add(&sum, &threads[i].tally);
        workload_tally_add(&measured, &during[i]);
        report->checksum = mixed_in(mixed_in(report->checksum, threads[i].random), threads[i].tally.written);
        latency_merge(&report->latency.alloc, &latencies[i].alloc);
        latency_merge(&report->latency.free, &latencies[i].free);
    }
    report->live_blocks = (int64_t)(sum.allocated - sum.freed);
    check("blocks allocated in the measured part", measured.allocated, report->operations);
    check("blocks freed in the measured part", measured.freed, report->operations);
    check("blocks freed in all", sum.freed, sum.allocated);
    check("sum of what was read from the blocks", sum.read, sum.written);
    check("bits that are wrong in blocks from calloc, aligned_alloc, or written by one thread alone", sum.wrong, 0);
    if (options->how.mode == WORKLOAD_LATENCY) {
        check("allocations timed", report->latency.alloc.count, measured.allocated);
        check("frees timed", report->latency.free.count, measured.freed - measured.resized);
    }
    if (options->how.mode == WORKLOAD_MEMORY) {
        check("bytes live after the last free", report->record.live_bytes, 0);
    }
}

static void start_threads(pthread_t *handles) {
    int error = options->threads > 1 ? pthread_barrier_init(&barrier, NULL, options->threads) : 0;
    for (unsigned i = 1; error == 0 && i < options->threads; i++) {
        error = pthread_create(&handles[i], NULL, other_thread, &threads[i]);
    }
    worker_require(error, "threads cannot be started");
}

void runner_run(const struct workload_options *given, struct report *report) {
    pthread_t handles[WORKLOAD_THREADS_MAX];
    options = given;
    report->workload = options->workload->name;
    report->threads = options->threads;
    report->operations = options->how.operations * options->threads;
    set_up_threads();
    start_threads(handles);
    run_once(&threads[0], options->warm_up, NULL);
    run_once(&threads[0], options->how.operations, &report->span);
    worker_require(measure_memory_get(&report->memory), "the kernel does not tell memory");
    if (options->how.mode == WORKLOAD_MEMORY) {
        rest();
        memory_stop();
        worker_require(memory_finish(options->how.decay_ms, &report->record), "the kernel does not tell memory");
        rest();
    }
    for (unsigned i = 1; i < options->threads; i++) {
        pthread_join(handles[i], NULL);
    }
    report->has_working_set = options->workload->working_set;
    report->working_set_bytes = (uint64_t)threads[0].slots * WORKLOAD_SET_BLOCK_BYTES;
    check_counts(report);
}
