/* SPDX-License-Identifier: MIT */
/* Random places: where regions, huge blocks and hakmem's own records lie in the address space, each for itself, and how
 * many chunks are skipped at the start of each region. So who knows where the program or its libraries lie, where another
 * block lies, or what an earlier run did, does not know where a block or a record is.
 *
 * The choices are drawn from the bytes that the kernel gave the process at its start, through a function that nobody
 * turns around, because the C library's secrets come from the same bytes. No system call is made. Where the kernel
 * places nothing at random, as under a debugger, nothing is chosen here either: each run is like the one before. */
#ifndef HAKMEM_REGION_PLACE_H
#define HAKMEM_REGION_PLACE_H

#include "hakmem/base/compiler.h"

/* Chooses the places. pre: called once, before anything is mapped there */
void hak_place_init(void);

/* Below this address huge blocks lie, one under the other; 0: the kernel chooses. */
uintptr_t hak_place_blocks_end(void);

/* Chunks that are skipped at the start of the next region: at most PLACE_SKIP_MOST, which leaves 45 or more, so that a
 * span of the most chunks that a class has, 16, still fits. pre: under the region lock */
#define PLACE_SKIP_MOST 447u
unsigned hak_place_skip(void);

#endif
