/* SPDX-License-Identifier: MIT */
/* All regions of each node (node.h) by their number, and which of them has a run of so many chunks, in a few steps however many there are.
 *
 * Of each region a bound is kept: no run of its free chunks is longer, and likewise of its dirty chunks. The bounds are
 * the leaves of a tree in which each word is the largest of the 64 below it:
 *
 *     level 1     [ 492 | 16 | .. ]               one word for 64 regions
 *                    |     \
 *     level 0     [ 0 0 492 .. ] [ 16 3 .. ]      one word for a region, by its number
 *
 * A search goes up while nothing further on in a group of 64 is large enough, and then down. A bound may be too large:
 * who finds no such run in the region sets what it saw, so each look in vain is paid for by the free that raised the
 * bound. All functions are called under the region lock. */
#ifndef HAKMEM_REGION_RUNS_H
#define HAKMEM_REGION_RUNS_H

#include "hakmem/base/compiler.h"

struct region;

enum region_runs { RUNS_FREE, RUNS_DIRTY, RUNS_KINDS };

/* Makes room for one more region of the node. ENOMEM */
int hak_runs_reserve(unsigned node);

/* Gives the region the next number of its node; its bounds are 0. pre: hak_runs_reserve succeeded since the last region */
void hak_runs_add(struct region *region);

/* The node's region of the lowest number, `from` or above, whose bound is `run` or more. NULL: there is none. pre: run >= 1 */
struct region *hak_runs_find(enum region_runs kind, unsigned node, unsigned from, unsigned run);

/* Raises the bound to `run` where it is lower; sets it. */
void hak_runs_raise(enum region_runs kind, const struct region *region, unsigned run);
void hak_runs_set(enum region_runs kind, const struct region *region, unsigned run);

#endif
