/* SPDX-License-Identifier: MIT */
/* Exercises the probes of hot_path_probes.c. Called by worker.c with --hot-path, on the main thread; no data of its
 * own. */
#include "bench/worker/hot_path.h"

#include "bench/worker/contender.h"

#include <inttypes.h>
#include <stdio.h>

/* Fewer than a magazine holds, and enough that a refill, a swap or a sample is the exception among them. */
#define CALLS_IN_A_ROW 24
#define TURNS 8

void hot_path_exercise(void) {
    void *block[CALLS_IN_A_ROW];
    for (unsigned turn = 0; turn < TURNS; turn++) {
        for (unsigned i = 0; i < CALLS_IN_A_ROW; i++) {
            block[i] = hot_path_malloc(HOT_PATH_SIZE);
            bench_escape(block[i]);
        }
        for (unsigned i = 0; i < CALLS_IN_A_ROW; i++) {
            hot_path_free(block[i]);
        }
    }
}

void hot_path_print(void) {
#if defined(__clang__)
    const char *compiler = "clang";
#else
    const char *compiler = "gcc";
#endif
    printf("{\"config\":\"%s\",\"compiler\":\"%s\",\"compiler_version\":\"%d.%d.%d\",\"comparable\":%s,",
           contender_config() != NULL ? contender_config() : "", compiler, __GNUC__, __GNUC_MINOR__,
           __GNUC_PATCHLEVEL__, contender_is_comparable() ? "true" : "false");
    printf("\"malloc_address\":%" PRIuPTR ",\"free_address\":%" PRIuPTR "}\n", (uintptr_t)hot_path_malloc,
           (uintptr_t)hot_path_free);
}
