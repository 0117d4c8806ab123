/* SPDX-License-Identifier: MIT */
/* Self-check of a workload: each live block carries a mark in its first and last byte, checked on free.
 *
 * Only runs with --verify do this. Workloads take their mode as a constant of their own instantiation, so a timing
 * run holds no trace of it. What is expected of a block is kept beside it, never in it: a block that is given out
 * twice, or overlaps another, is found when the first of the two is freed. */
#ifndef BENCH_WORKER_VERIFY_H
#define BENCH_WORKER_VERIFY_H

#include "hakmem/base/compiler.h"

/* What is known of a live block. --memory uses the size as well. */
struct verify_expect {
    uint32_t size; /* bytes asked for; 0: the block is not live */
    uint32_t tag;  /* the marks follow from its lowest byte */
};

/* Every block of 8 to 15 bytes is aligned to 8, as mimalloc has it; larger ones to BENCH_ALIGNMENT, or to what
 * verify_expect_alignment says. */
#define VERIFY_ALIGNMENT_LEAST 8

/* Blocks of 16 bytes and more are aligned to `alignment` from now on. pre: no other thread runs */
void verify_expect_alignment(size_t alignment);

/* Marks the fresh block p of `size` bytes. `tag` tells blocks apart: neighbours have different ones.
 * Ends the process with status 1 and a message where p is NULL or misaligned. */
void verify_mark(void *p, size_t size, uint32_t tag, struct verify_expect *expect);

/* Ends the process with status 1 and a message where p's marks are not those that verify_mark left, or where the
 * block was freed before. From now on it is not live. */
void verify_check(const void *p, struct verify_expect *expect);

/* Likewise where one of the `size` bytes at p is not zero; where p is no multiple of `alignment`. */
void verify_zero(const void *p, size_t size);
void verify_alignment(const void *p, size_t size, size_t alignment);

/* Ends the process with status 1: `what` is wrong with the block. */
_Noreturn void verify_fail(const void *p, size_t size, const char *what);

#endif
