/* SPDX-License-Identifier: MIT */
/* What the programs here share: whether hakmem answers, its statistics, the process's memory, marked blocks, lines of
 * JSON.
 *
 * The programs are ordinary ones. They know of hakmem only what dlsym finds, so each runs on the C library's malloc
 * as well. Nothing here allocates, except life_block_new. */
#ifndef TESTS_PRELOAD_LIFE_LIFE_H
#define TESTS_PRELOAD_LIFE_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem/hakmem.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* First thing in main: prints the line that says who allocates, {"allocator": "hakmem"} or "other". The first only
 * where malloc and hak_stats_get come from one library and a block of malloc's is counted and owned there. */
void life_begin(void);

/* Ends the program with status 1 and a line on standard error. */
void life_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define LIFE_CHECK(condition) ((condition) ? (void)0 : life_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition))

/* One line on standard output, by one write, whatever stdio is doing. */
void life_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Statistics and sums over its pools. pre: hakmem allocates */
struct hak_stats life_stats(void);
uint64_t life_live_bytes(const struct hak_stats *stats);
uint64_t life_live_blocks(const struct hak_stats *stats);

/* What docs/design.md bounds the resident memory by, the process's own part aside. */
uint64_t life_bound_bytes(const struct hak_stats *stats);

/* Resident bytes by the page tables: VmRSS lags behind by a batch of pages each processor. */
uint64_t life_resident_bytes(void);

/* Makes the code of every loaded library resident, so that it does not look like growth later. */
void life_touch_code(void);

/* Sizes of all pools, ascending; the first is that of a marked block's least. */
extern const size_t life_sizes[];
extern const unsigned life_size_count;

/* A block of malloc with its size and a mark in its first bytes and a mark in its last, and a byte written on each of
 * its first pages. Two owners of one block, or a stray write, show when it is freed. NULL: no memory.
 * pre: size >= 16 */
void *life_block_new(size_t size);

/* Checks the marks and frees. NULL is allowed. */
void life_block_free(void *block);

/* Checks the marks. */
void life_block_check(const void *block);

/* Deterministic numbers; *state is never 0. */
static inline uint64_t life_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
