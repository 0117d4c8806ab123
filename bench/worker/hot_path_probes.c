/* SPDX-License-Identifier: MIT */
/* The probes of the hot path, in a file without their callers, so that no compiler can inline them or specialise
 * them for one size. Called by hot_path.c, and by nothing that is measured. */
#include "bench/worker/contender.h"
#include "bench/worker/hot_path.h"

void *hot_path_malloc(size_t size) { return bench_alloc(size); }

void hot_path_free(void *p) { bench_free(p); }
