/* SPDX-License-Identifier: MIT */
/* A block's content that a test can check: bytes that follow from a seed and the position. */
#ifndef TESTS_HARNESS_PATTERN_H
#define TESTS_HARNESS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void pattern_fill(void *start, size_t size, uint64_t seed);

/* Whether pattern_fill(start, n, seed) with n >= size left these bytes. */
bool pattern_holds(const void *start, size_t size, uint64_t seed);

/* The same on the first 16 bytes of each page (counted from start) only: for blocks of many pages. */
/* pattern_pages_hold with a smaller size holds as well. */
void pattern_mark_pages(void *start, size_t size, uint64_t seed);
bool pattern_pages_hold(const void *start, size_t size, uint64_t seed);

bool pattern_all_zero(const void *start, size_t size);

#ifdef __cplusplus
}
#endif

#endif
