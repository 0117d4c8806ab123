/* SPDX-License-Identifier: MIT */
/* Replays a trace against the allocator that answers malloc in this process: libc's, or one that is preloaded. It
 * measures, checks and prints with the worker's own parts (bench/worker); the schedule of calls takes the place of a
 * workload.
 *
 * Everything of the trace is read, checked and laid out before the first call; then the file is unmapped. What the
 * replayer keeps in memory is taken off all figures of resident memory, and no page of it is touched for the first time
 * while the clock runs. Status: 0, 1 where something failed, 2 where the arguments or the trace are wrong. */
#include "bench/trace/info.h"
#include "bench/trace/paths.h"
#include "bench/trace/reader.h"
#include "bench/trace/replay_options.h"
#include "bench/trace/run.h"
#include "bench/trace/schedule.h"
#include "bench/worker/contender.h"
#include "bench/worker/fail.h"
#include "bench/worker/json.h"
#include "bench/worker/report.h"
#include "bench/worker/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_REFUSED 2

/* Static, so that the stack of the first thread is no larger than it was before. */
static struct replay_options options;
static struct schedule schedule;
static struct report report;
static uint64_t own_bytes; /* the replayer's, in memory all the time and in no figure of the report */

static HAK_COLD _Noreturn void refuse(const struct trace_defect *defect) {
    fprintf(stderr, "replay: %s: byte %" PRIu64 ": %s\n", options.path, defect->offset, defect->text);
    exit(EXIT_REFUSED);
}

static void refuse_defect(const char *defect) {
    if (defect != NULL) {
        worker_fail(defect, 0);
    }
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
    if (!schedule_make(&schedule, &trace, options.how.operations, &defect)) {
        refuse(&defect);
    }
    trace_close(&trace);
}

static uint64_t resident(void) {
    uint64_t bytes;
    worker_require(measure_resident_get(&bytes), "the kernel does not tell resident memory");
    return bytes;
}

static uint64_t less_own(uint64_t bytes) { return bytes > own_bytes ? bytes - own_bytes : 0; }

static void measure(void) {
    const bool memory = options.how.mode == WORKLOAD_MEMORY;
    const char *const untold = "the kernel does not tell what the replay took";
    run_prepare(&schedule, options.touch, options.how.mode);
    worker_require(measure_reset_peak(), untold);
    if (memory) {
        worker_require(memory_begin(schedule.operations, own_bytes), untold);
    }
    worker_require(measure_start(&report.span), untold);
    run_schedule();
    worker_require(measure_stop(&report.span), untold);
    worker_require(measure_memory_get(&report.memory), untold);
    if (memory) {
        memory_stop();
    }
    report.memory.peak_bytes = less_own(report.memory.peak_bytes);
    report.memory.resident_bytes = less_own(report.memory.resident_bytes);
    report.live_blocks = (int64_t)schedule.left_count;
    if (memory || options.how.mode == WORKLOAD_VERIFIED) {
        run_free_left();
    }
    if (memory) {
        worker_require(memory_finish(options.how.decay_ms, &report.record), untold);
    }
}

static void print_more(void) {
    static const char *const touches[] = {[TOUCH_NONE] = "none", [TOUCH_EDGES] = "edges", [TOUCH_PAGES] = "pages"};
    json_text("touch", touches[options.touch]);
    json_count("handed_over", schedule.shared_count);
    json_count("skipped", schedule.skipped);
    json_count("dropped", schedule.dropped);
    json_count("peak_live_bytes", schedule.peak_live_bytes);
    json_count("replayer_bytes", own_bytes);
}

static void replay(void) {
    static char name[128] = "trace:"; /* and the file's name up to its first dot */
    const uint64_t baseline = resident();
    load();
    const uint64_t loaded = resident();
    own_bytes = loaded > baseline ? loaded - baseline : 0;
    refuse_defect(contender_defect());
    refuse_defect(run_defect(&schedule));
    verify_expect_alignment(options.how.alignment);
    if (options.how.mode == WORKLOAD_LATENCY) {
        refuse_defect(latency_defect());
        latency_calibrate();
    }
    measure();
    run_latency(&report.latency);
    const char *slash = strrchr(options.path, '/'), *file = slash != NULL ? slash + 1 : options.path;
    size_t length = strcspn(file, "."), room = sizeof name - sizeof "trace:";
    strncat(name, file, length < room ? length : room);
    report.workload = name;
    report.threads = schedule.threads;
    report.operations = schedule.operations;
    report.checksum = schedule.checksum;
    report_print(&options.how, &report, print_more);
}

static void print_only(void) {
    struct trace trace;
    struct trace_defect defect;
    open_trace(&trace, true);
    if (!(options.info ? info_print : paths_print)(&trace, &defect)) {
        refuse(&defect);
    }
}

int main(int argc, char **argv) {
    static char buffer[BUFSIZ];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer); /* stdio would ask the allocator for it */
    replay_options_parse(argc, argv, &options);
    if (options.info || options.paths) {
        print_only();
    } else {
        replay();
    }
    if (fflush(stdout) != 0) {
        worker_fail("standard output", errno);
    }
    return EXIT_SUCCESS;
}
