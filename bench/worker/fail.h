/* SPDX-License-Identifier: MIT */
/* How a worker or a replay ends that cannot go on. */
#ifndef BENCH_WORKER_FAIL_H
#define BENCH_WORKER_FAIL_H

#include "hakmem/base/compiler.h"

/* Ends the process with status 1 and the message "worker (NAME, LINK): WHAT: strerror(error)". `error` is an errno
 * value, or 0 for a message without it. */
HAK_COLD _Noreturn void worker_fail(const char *what, int error);

/* Likewise where `error` is not 0. */
HAK_ALWAYS_INLINE void worker_require(int error, const char *what) {
    if (error != 0) {
        worker_fail(what, error);
    }
}

#endif
