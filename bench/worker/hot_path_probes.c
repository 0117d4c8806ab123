/* SPDX-License-Identifier: MIT */
/* The probes of the hot path, apart from their callers: no compiler can make them for one size only, or inline them.
 *
 * Called by hot_path.c, and by nothing that is measured. */
#include "bench/worker/contender.h"
#include "bench/worker/hot_path.h"

void *hot_path_malloc(size_t size) { return bench_alloc(size); }

void hot_path_free(void *p) { bench_free(p); }
