/* SPDX-License-Identifier: MIT */
/* The load of a long run: blocks of all pools in a table of slots, which any thread may fill, check, resize and empty.
 *
 * Each slot has a lock, so that a block's description goes with it, and threads free each other's blocks all the time. While no
 * thread is in load_work() the table says exactly which blocks are live. */
#ifndef TESTS_SOAK_LOAD_H
#define TESTS_SOAK_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a phase asks for: `occupied` per cent of the first `slots` slots, blocks of the sizes that `least` and `most` bound; of large
 * ones, which cost page faults, one in `rarer` operations. */
struct load_phase {
    const char *name;
    unsigned slots;
    unsigned occupied;
    size_t least, most;
    unsigned rarer;
};

#define LOAD_PHASES 7u
extern const struct load_phase load_phases[LOAD_PHASES];

/* Before anything is measured: touches the table. */
void load_begin(void);

/* `operations` random calls; the result is 0, or the number of blocks that had lost their content. Any thread, many at once. */
unsigned load_work(const struct load_phase *phase, uint64_t seed, unsigned long operations);

/* In the child of a fork, whose parent's threads may have been anywhere: uses blocks of its own only. The same result. */
unsigned load_in_child(uint64_t seed);

/* What the table says. Only while no thread works. */
struct load_sum {
    uint64_t blocks;
    uint64_t bytes;   /* asked for */
    uint64_t starts;  /* the sum of a hash of each block's start */
    uint64_t damaged; /* that have lost their content */
};
struct load_sum load_sum(void);

/* The hash that `starts` adds up. */
uint64_t load_hash(const void *start);

/* Frees one block in `keep_one_in` less than all; 0: all. Only while no thread works. */
void load_thin(unsigned keep_one_in);

#endif
