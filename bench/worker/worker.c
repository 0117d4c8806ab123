/* SPDX-License-Identifier: MIT */
/* A worker: one process that runs one workload with one allocator and prints one line of JSON.
 *
 * The driver (bench/engine) starts a fresh one for each measurement, so that each has memory, faults and
 * address-space layout of its own. Status: 0, 1 where something failed, 2 where the arguments are wrong. */
#include "bench/worker/contender.h"
#include "bench/worker/contention.h"
#include "bench/worker/fail.h"
#include "bench/worker/hot_path.h"
#include "bench/worker/latency.h"
#include "bench/worker/list.h"
#include "bench/worker/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void refuse_defect(const char *defect) {
    if (defect != NULL) {
        worker_fail(defect, 0);
    }
}

static void run(const struct workload_options *options) {
    static struct report report;
    if (options->how.mode == WORKLOAD_LATENCY) {
        refuse_defect(latency_defect());
        latency_calibrate();
    }
    runner_run(options, &report);
    report_print(&options->how, &report, contention_print);
}

static void print_config(void) {
    const char *config = contender_config();
    printf("%s\n", config != NULL ? config : "");
}

int main(int argc, char **argv) {
    struct workload_options options;
    workload_options_parse(argc, argv, &options);
    refuse_defect(contender_defect());
    switch (options.action) {
    case WORKER_RUN: run(&options); break;
    case WORKER_CONFIG: print_config(); break;
    case WORKER_LIST: list_print(); break;
    case WORKER_LIST_JSON: list_print_json(); break;
    case WORKER_HOT_PATH:
        hot_path_exercise();
        hot_path_print();
        break;
    }
    if (fflush(stdout) != 0) {
        worker_fail("standard output", errno);
    }
    return EXIT_SUCCESS;
}
