/* SPDX-License-Identifier: MIT */
/* Replays a trace against the allocator that answers malloc in this process: libc's, or one that is preloaded.
 *
 * Everything of the trace is read, checked and laid out before the first call; then the file is unmapped. What the
 * replayer keeps in memory is taken off all figures of resident memory, and no page of it is touched for the first time
 * while the clock runs. Status: 0, 1 where something failed, 2 where the arguments or the trace are wrong. */
#include "bench/trace/replay.h"

#include "bench/worker/contender.h"
#include "bench/trace/info.h"
#include "bench/trace/reader.h"
#include "bench/trace/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXIT_REFUSED 2

/* How long freed memory may take to go back to the system, and how often it is looked at. As the worker has it. */
#define DECAY_NS UINT64_C(1500000000)
#define DECAY_STEP_NS 20000000
#define SECOND_NS UINT64_C(1000000000)

/* Static, so that the stack of the first thread is no larger than it was before. */
static struct options options;
static struct schedule schedule;
static struct replay_result result;

static HAK_COLD _Noreturn void fail(const char *what, int error) {
    fprintf(stderr, "replay: %s%s%s\n", what, error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    exit(EXIT_FAILURE);
}

static HAK_COLD _Noreturn void refuse(const struct trace_defect *defect) {
    fprintf(stderr, "replay: %s: byte %" PRIu64 ": %s\n", options.path, defect->offset, defect->text);
    exit(EXIT_REFUSED);
}

static void open_trace(struct trace *trace, bool may_be_cut) {
    struct trace_defect defect;
    if (!trace_open(trace, options.path, may_be_cut, &defect)) {
        refuse(&defect);
    }
}

static void load(void) {
    struct trace trace;
    struct trace_defect defect;
    open_trace(&trace, options.incomplete);
    if (!trace.complete && !options.incomplete) {
        trace_defect_set(&defect, trace.size,
                         "the trace is incomplete: it has no end. --incomplete replays what there is of it");
        refuse(&defect);
    }
    if (!schedule_make(&schedule, &trace, options.operations, &defect)) {
        refuse(&defect);
    }
    trace_close(&trace);
}

static uint64_t resident(void) {
    uint64_t bytes;
    int error = measure_resident_get(&bytes);
    if (error != 0) {
        fail("the kernel does not tell resident memory", error);
    }
    return bytes;
}

static uint64_t less_own(uint64_t bytes) { return bytes > result.own_bytes ? bytes - result.own_bytes : 0; }

/* Until all memory is back, or time is up: the same for every allocator. */
static void wait_for_decay(void) {
    const struct timespec step = {.tv_nsec = DECAY_STEP_NS};
    uint64_t start = measure_clock_ns();
    result.after_decay_bytes = result.after_free_bytes;
    result.after_second_bytes = result.after_free_bytes;
    while (result.after_decay_bytes > result.baseline_bytes && result.decay_ns < DECAY_NS) {
        nanosleep(&step, NULL);
        result.after_decay_bytes = less_own(resident());
        /* The first figure from a second on is the last that is kept here. */
        if (result.decay_ns < SECOND_NS) {
            result.after_second_bytes = result.after_decay_bytes;
        }
        result.decay_ns = measure_clock_ns() - start;
    }
}

static void replay(void) {
    const struct run_settings settings = {options.touch, options.verify, options.memory};
    struct measure_usage before, after;
    struct measure_memory memory;
    int error = resident_reset_peak();
    if (error == 0 && options.memory) {
        error = resident_start(result.own_bytes, schedule.operations);
    }
    if (error == 0) {
        error = measure_usage_get(&before);
    }
    result.ns = run_schedule(&schedule, &settings);
    if (error != 0 || (error = measure_usage_get(&after)) != 0 || (error = measure_memory_get(&memory)) != 0 ||
        (options.memory && (error = resident_finish(&result.record)) != 0)) {
        fail("the kernel does not tell what the replay took", error);
    }
    result.usage = measure_usage_between(&before, &after);
    result.peak_bytes = less_own(memory.peak_bytes);
    result.rss_bytes = less_own(memory.resident_bytes);
    result.live_blocks = schedule.left_count;
    if (options.memory || options.verify) {
        run_free_left(&schedule, &settings);
    }
    if (options.memory) {
        result.after_free_bytes = less_own(resident());
        wait_for_decay();
    }
}

static void print_info(void) {
    struct trace trace;
    struct trace_defect defect;
    open_trace(&trace, true);
    if (!info_print(&trace, &defect)) {
        refuse(&defect);
    }
}

int main(int argc, char **argv) {
    static char buffer[BUFSIZ];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer); /* stdio would ask the allocator for it */
    options_parse(argc, argv, &options);
    if (options.info) {
        print_info();
    } else {
        result.baseline_bytes = resident();
        load();
        uint64_t loaded = resident();
        result.own_bytes = loaded > result.baseline_bytes ? loaded - result.baseline_bytes : 0;
        const char *defect = contender_defect();
        defect = defect != NULL ? defect : run_defect(&schedule);
        if (defect != NULL) {
            fail(defect, 0);
        }
        replay();
        replay_print(&options, &schedule, &result);
    }
    if (fflush(stdout) != 0) {
        fail("standard output", errno);
    }
    return EXIT_SUCCESS;
}
