/* SPDX-License-Identifier: MIT */
/* The allocator that the recorder forwards to: the next in the order of the loader's search. */
#ifndef BENCH_TRACE_RECORDER_NEXT_H
#define BENCH_TRACE_RECORDER_NEXT_H

#include "hakmem/base/compiler.h"

struct recorder_next {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *p, size_t size);
    void *(*reallocarray)(void *p, size_t count, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    int (*posix_memalign)(void **p, size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    void (*free)(void *p);
};

extern struct recorder_next recorder_next; /* valid after next_find returned true; constant then */

/* Finds the next allocator where it is not known yet. false while this very thread is looking for it: the loader asks
 * for memory then, which next_early_* give. Ends the process where there is no allocator. */
bool next_find(void);

/* Blocks for that time, zeroed, never used again. Aligned for any type. */
void *next_early_block(size_t size);
bool next_is_early(const void *p);
size_t next_early_size(const void *p); /* pre: next_is_early(p) */

/* The next definition of any name; NULL where there is none. */
void *next_function(const char *name);

#endif
