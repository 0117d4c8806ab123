/* SPDX-License-Identifier: MIT */
/* Threads that keep an allocator busy: they allocate and free blocks of all sizes and hand them to each other. */
#ifndef TESTS_PRELOAD_LIFE_LOAD_H
#define TESTS_PRELOAD_LIFE_LOAD_H

#define LOAD_THREADS 4

/* Starts LOAD_THREADS of them. Once a process; in the child of a fork, which has none, once more. */
void load_start(void);

/* Ends and joins them, and frees what they had. */
void load_stop(void);

/* In the child of a fork, which has none of the threads: frees the blocks that they were handing over. */
void load_take_over(void);

/* Allocates, checks and frees one block of each size. */
void load_use_every_size(void);

#endif
