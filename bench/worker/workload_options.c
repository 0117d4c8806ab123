/* SPDX-License-Identifier: MIT */
/* What a worker runs, from its arguments. Called by worker.c at the start. */
#include "bench/worker/workload_options.h"

#include "bench/worker/contender.h"
#include "bench/worker/memory.h"

#include <stdio.h>
#include <string.h>

/* A tenth of the measured part warms caches, predictors and the allocator's own structures. */
#define WARM_UP_SHARE 10

/* Operations that give as many samples as are wanted: each has two calls. */
#define MEMORY_OPERATIONS_MIN (MEMORY_SAMPLES_WANTED / 2)

static const char usage[] =
    "usage: %s --workload NAME --operations N [options]\n"
    "       %s --list[=json] | --config | --hot-path\n"
    "\n"
    "  --workload NAME   what to run; --list prints the names\n"
    "  --threads N       threads, 1 to 64 (default: as few as the workload needs)\n"
    "  --warm-up N       operations before the clock starts (default: a tenth of --operations; none with --memory)\n"
    "  --list=json       print all that is known of the workloads\n"
    "  --config          print the switches that the allocator was built with\n"
    "  --hot-path        call the probes of the hot path and print their addresses\n";

enum { WORKLOAD = OPTIONS_OWN, WARM_UP, THREADS, LIST, CONFIG, HOT_PATH };

static const struct option rows[] = {
    {"workload", required_argument, NULL, WORKLOAD}, {"warm-up", required_argument, NULL, WARM_UP},
    {"threads", required_argument, NULL, THREADS},   {"list", optional_argument, NULL, LIST},
    {"config", no_argument, NULL, CONFIG},           {"hot-path", no_argument, NULL, HOT_PATH},
};

/* What was given, as far as its meaning depends on the workload. */
static struct workload_options given;
static const char *name;
static bool has_warm_up, has_threads;

static void set_list(const char *format) {
    if (format != NULL && strcmp(format, "json") != 0) {
        options_refuse("--list", format, "json is the only format that has a name");
    }
    given.action = format == NULL ? WORKER_LIST : WORKER_LIST_JSON;
}

static void apply(int value, const char *argument) {
    switch (value) {
    case WORKLOAD: name = argument; break;
    case WARM_UP:
        given.warm_up = options_number("--warm-up", argument, 0, OPTIONS_OPERATIONS_MAX);
        has_warm_up = true;
        break;
    case THREADS:
        given.threads = (unsigned)options_number("--threads", argument, 1, WORKLOAD_THREADS_MAX);
        has_threads = true;
        break;
    case LIST: set_list(argument); break;
    case CONFIG: given.action = WORKER_CONFIG; break;
    default: given.action = WORKER_HOT_PATH; break;
    }
}

static void find_workload(void) {
    if (name == NULL || given.how.operations == 0) {
        options_refuse(name == NULL ? "--workload" : "--operations", "", "missing");
    }
    given.workload = workload_find(name);
    if (given.workload == NULL) {
        options_refuse("--workload", name, "no such workload; --list prints them");
    }
}

static void complete_threads(void) {
    const struct workload *workload = given.workload;
    if (!has_threads) {
        given.threads = workload->threads_min;
    }
    if (given.threads < workload->threads_min || given.threads > workload->threads_max) {
        char text[12];
        snprintf(text, sizeof text, "%u", given.threads);
        if (workload->threads_max == 1) {
            options_refuse("--threads", text, "this workload runs on one thread");
        }
        options_refuse_range("--threads", text, workload->threads_min, workload->threads_max);
    }
}

static uint64_t round_up(uint64_t operations, uint64_t unit) { return (operations + unit - 1) / unit * unit; }

static void complete_operations(void) {
    const bool memory = given.how.mode == WORKLOAD_MEMORY;
    if (has_warm_up && memory) {
        options_refuse("--warm-up", "", "--memory looks at the process from its start");
    }
    if (!has_warm_up && !memory) {
        given.warm_up = given.how.operations / WARM_UP_SHARE;
    }
    given.how.operations = round_up(given.how.operations, given.workload->unit);
    given.warm_up = round_up(given.warm_up, given.workload->unit);
    if (memory && given.how.operations < MEMORY_OPERATIONS_MIN) {
        options_refuse("--operations", "", "--memory takes its samples by operations and needs 25");
    }
}

void workload_options_parse(int argc, char **argv, struct workload_options *options) {
    static const struct options_own own = {usage, NULL, rows, sizeof rows / sizeof rows[0], apply};
    given.how.alignment = BENCH_ALIGNMENT;
    options_parse(argc, argv, &own, &given.how);
    if (given.action == WORKER_RUN) {
        find_workload();
        complete_threads();
        complete_operations();
    }
    *options = given;
}
