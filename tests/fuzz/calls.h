/* SPDX-License-Identifier: MIT */
/* Sequences of calls of hakmem.h, read from bytes, over several threads, held against a model: what each live block's
 * size, place and content must be. */
#ifndef TESTS_FUZZ_CALLS_H
#define TESTS_FUZZ_CALLS_H

#include <stddef.h>
#include <stdint.h>

/* Makes the calls that the bytes stand for, any bytes, one call at a time, each by one of CALLS_THREADS threads that it
 * starts and joins, and frees every block at its end. One run at a time.
 * Result: NULL, or what was wrong, in static memory; then the heap is not what it was. */
const char *calls_run(const uint8_t *bytes, size_t count);

#define CALLS_THREADS 3u

#endif
