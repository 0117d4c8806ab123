/* SPDX-License-Identifier: MIT */
/* Self-check of a run, for --verify: every live block is filled with a pattern of its own (in blocks above a
 * mebibyte, one word of every page). The pattern is written when the block is allocated and checked when it is freed
 * or resized. All functions end the process with status 1 and a message where an allocator breaks a promise: where a
 * block is given out twice, overlaps another, loses its content in realloc, is not zero after calloc, or is not
 * aligned.
 *
 * Loops are compiled once for each mode, so a timed run contains nothing of this. What is expected of a block is kept
 * beside it, never in it. */
#ifndef BENCH_WORKER_VERIFY_H
#define BENCH_WORKER_VERIFY_H

#include "hakmem/base/compiler.h"

/* Blocks of 16 bytes and more are aligned to `alignment`, by default BENCH_ALIGNMENT; smaller ones to 8, or to nothing
 * below 8 bytes. pre: no other thread runs */
void verify_expect_alignment(size_t alignment);

/* `key` tells blocks apart that live at the same time. */
void verify_write(void *p, size_t size, uint64_t key);

/* Checks the first `size` bytes of a block that verify_write was given with `whole` bytes. `defect` says what is wrong
 * where they differ. */
void verify_read(const void *p, size_t size, size_t whole, uint64_t key, const char *defect);
#define VERIFY_CHANGED "a byte changed while it was live"

/* That all bytes are zero; that p is aligned to what was asked for and to what every block of its size is. */
void verify_zero(const void *p, size_t size);
void verify_alignment(const void *p, size_t size, size_t alignment);

/* What a workload knows of a live block. --memory uses the size as well. */
struct verify_expect {
    uint32_t size; /* bytes asked for; 0: the block is not live */
    uint32_t tag;  /* the pattern follows from it */
};

/* Marks the fresh block p, which may be NULL where there was no memory: that is a failure. */
void verify_mark(void *p, size_t size, uint32_t tag, struct verify_expect *expect);

/* Checks the block's marks, and that it was not freed before. From now on it is not live. */
void verify_check(const void *p, struct verify_expect *expect);

#endif
