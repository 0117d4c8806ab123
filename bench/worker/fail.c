/* SPDX-License-Identifier: MIT */
/* Ends the process with a message on standard error. Any thread. */
#include "bench/worker/fail.h"

#include "bench/worker/contender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

HAK_COLD _Noreturn void worker_fail(const char *what, int error) {
    fprintf(stderr, "worker (%s, %s): %s%s%s\n", BENCH_NAME, BENCH_LINK, what, error != 0 ? ": " : "",
            error != 0 ? strerror(error) : "");
    exit(EXIT_FAILURE);
}
