/* SPDX-License-Identifier: MIT */
/* A worker: one process that runs one workload with one allocator and prints one line of JSON.
 *
 * The driver (bench/driver) starts a fresh one for each measurement, so that each has memory, faults and
 * address-space layout of its own. Status: 0, 1 where something failed, 2 where the arguments are wrong. */
#include "bench/worker/contender.h"
#include "bench/worker/hot_path.h"
#include "bench/worker/latency.h"
#include "bench/worker/options.h"
#include "bench/worker/report.h"
#include "bench/worker/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void refuse_defect(const char *defect) {
    if (defect != NULL) {
        runner_fail(defect, 0);
    }
}

static void run(const struct options *options) {
    static struct runner_result result;
    if (options->mode == WORKLOAD_LATENCY) {
        refuse_defect(latency_defect());
        latency_calibrate();
    }
    runner_run(options, &result);
    report_result(options, &result);
}

static void print_config(void) {
    const char *config = contender_config();
    printf("%s\n", config != NULL ? config : "");
}

int main(int argc, char **argv) {
    struct options options;
    options_parse(argc, argv, &options);
    refuse_defect(contender_defect());
    switch (options.action) {
    case OPTIONS_RUN: run(&options); break;
    case OPTIONS_CONFIG: print_config(); break;
    case OPTIONS_LIST: report_list(); break;
    case OPTIONS_LIST_JSON: report_list_json(); break;
    case OPTIONS_HOT_PATH:
        hot_path_exercise();
        hot_path_print();
        break;
    }
    if (fflush(stdout) != 0) {
        runner_fail("standard output", errno);
    }
    return EXIT_SUCCESS;
}
