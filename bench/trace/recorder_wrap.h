/* SPDX-License-Identifier: MIT */
/* Recorded calls with the call site as an argument: for libc's names, and C++'s. */
#ifndef BENCH_TRACE_RECORDER_WRAP_H
#define BENCH_TRACE_RECORDER_WRAP_H

#include "hakmem/base/compiler.h"

void *wrap_malloc(size_t size, const void *caller);
void *wrap_aligned_alloc(size_t alignment, size_t size, const void *caller);
void wrap_free(void *p);

#endif
