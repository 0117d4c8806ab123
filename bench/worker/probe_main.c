/* SPDX-License-Identifier: MIT */
/* The probes of the hot path alone, without the workloads: built for every combination of the switches in a fraction of the
 * time that a worker takes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/worker/contender.h"
#include "bench/worker/fail.h"
#include "bench/worker/hot_path.h"

int main(int argc, char **argv) {
    const char *action = argc == 2 ? argv[1] : "";
    const char *defect = contender_defect();
    if (defect != NULL) {
        worker_fail(defect, 0);
    }
    if (strcmp(action, "--config") == 0) {
        printf("%s\n", contender_config());
    } else if (strcmp(action, "--hot-path") == 0) {
        hot_path_exercise();
        hot_path_print();
    } else {
        fprintf(stderr, "usage: probe --config|--hot-path\n");
        return 2;
    }
    if (fflush(stdout) != 0) {
        worker_fail("standard output", errno);
    }
    return EXIT_SUCCESS;
}
