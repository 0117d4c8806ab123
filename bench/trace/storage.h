/* SPDX-License-Identifier: MIT */
/* The replayer's own memory: pages from the kernel, never blocks of the allocator that is measured. All functions
 * end the process with status 1 and a message where the kernel has no pages. */
#ifndef BENCH_TRACE_STORAGE_H
#define BENCH_TRACE_STORAGE_H

#include "hakmem/base/compiler.h"

/* Zeroed; NULL for 0 bytes. `what` is for the message. */
void *storage_new(size_t bytes, const char *what);

/* `pages` of `old` bytes with room for `bytes`; what is new is zeroed. */
void *storage_grow(void *pages, size_t old, size_t bytes, const char *what);

void storage_free(void *pages, size_t bytes);

/* Room for element `count` of an array of elements of `size` bytes: doubles *capacity when it is full. */
void *storage_room(void *array, size_t count, size_t *capacity, size_t size, const char *what);

#endif
