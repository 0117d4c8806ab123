/* SPDX-License-Identifier: MIT */
/* Debug builds: has every poll of the allocator's slow paths allocate and free a block of each class, as a poll does that starts
 * a thread or runs what waits for one. A test program that depends on this library runs all its tests so. Nothing else changes:
 * but tests that count allocations or exchanges, or foretell places, cannot have it. */
#ifndef TESTS_HARNESS_REENTRY_H
#define TESTS_HARNESS_REENTRY_H

#include <stdint.h>

/* Polls that did so. */
uint64_t reentry_count(void);

#endif
