/* SPDX-License-Identifier: MIT */
/* All that the allocator knows of its memory, compared with itself: the bitmaps, counts, states and lists of every slab, the
 * chunks of every region, the table of huge blocks, the statistics, and what hak_walk finds.
 *
 * A test calls it while no thread is inside the allocator, its own thread that purges included: between two calls of a process of
 * one thread. */
#ifndef TESTS_HARNESS_STRUCTURES_H
#define TESTS_HARNESS_STRUCTURES_H

#ifdef __cplusplus
extern "C" {
#endif

#define STRUCTURES_EXPECT_SOUND() structures_expect_sound(__FILE__, __LINE__)
void structures_expect_sound(const char *file, int line);

#ifdef __cplusplus
}
#endif

#endif
