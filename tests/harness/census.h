/* SPDX-License-Identifier: MIT */
/* The allocator's counts, as tests compare them.
 *
 * Reads the public statistics only. Call it while no other thread is inside the allocator, unless said
 * otherwise: only then are the counts exact. */
#ifndef TESTS_HARNESS_CENSUS_H
#define TESTS_HARNESS_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem/hakmem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes at both ends of each pool and of classes in it, ascending; the last three are huge. */
#define CENSUS_SIZE_COUNT 24
extern const size_t census_sizes[CENSUS_SIZE_COUNT];

/* Zeros, and a failure of the test, where the class does not exist. */
struct hak_class_stats census_class(unsigned class_index);

struct hak_stats census_all(void);

/* The class that a block of `size` bytes comes from; 0 for huge. Allocates such a block and frees it. */
unsigned census_class_of_size(size_t size);

/* Blocks that are allocated and not freed, in the whole process. */
uint64_t census_live_blocks(void);

/* Blocks given out and taken back since the start. */
uint64_t census_allocations(void);
uint64_t census_frees(void);

/* Slabs of all classes. */
uint64_t census_slabs(void);

/* In each class and pool allocations - frees == live_blocks, and each pool is the sum of its classes. */
#define CENSUS_EXPECT_CONSISTENT() census_expect_consistent(__FILE__, __LINE__)
void census_expect_consistent(const char *file, int line);

/* `made` allocations happened between the two readings of an `allocations` count: exactly so where counts
 * are exact, else within six standard deviations. An estimate adds 16 for one in 16 allocations, so that
 * its variance is 15 times the count. */
#define CENSUS_EXPECT_ALLOCATIONS(before, after, made) \
    census_expect_allocations((before), (after), (made), __FILE__, __LINE__)
void census_expect_allocations(uint64_t before, uint64_t after, uint64_t made, const char *file, int line);

#ifdef __cplusplus
}
#endif

#endif
