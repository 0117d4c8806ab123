/* Self-check of a workload: each live block carries a mark in its first and last byte, checked on free.
 *
 * Only runs with --verify do this. Workloads take `verify` as a constant of their own instantiation, so a
 * timing run holds no trace of it. What is expected of a block is kept beside it, never in it: a block
 * that is given out twice, or overlaps another, is found when the first of the two is freed. */
#ifndef BENCH_VERIFY_H
#define BENCH_VERIFY_H

#include "hakmem/base/compiler.h"

struct verify_expect {
    size_t size; /* bytes asked for, at least 1 */
    uint8_t mark;
};

/* Every block of at least this many bytes is aligned to as many; what hakmem.h promises as the least. */
#define VERIFY_ALIGNMENT 8

/* Marks the fresh block p of `size` bytes. `number` counts the blocks, so that neighbours differ.
 * Ends the process with status 1 and a message where p is NULL or misaligned. */
void verify_mark(void *p, size_t size, uint64_t number, struct verify_expect *expect);

/* Ends the process with status 1 and a message where p's marks are not those that verify_mark left. */
void verify_check(const void *p, const struct verify_expect *expect);

#endif
