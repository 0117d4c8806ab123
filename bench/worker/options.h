/* SPDX-License-Identifier: MIT */
/* How a run is measured: the arguments that a workload and a replayed trace have in common.
 *
 * Strict: what is not understood ends the process with usage and status 2. What is run, and the arguments for it,
 * belong to workload_options.h and to bench/trace/replay_options.h, which pass theirs to options_parse. */
#ifndef BENCH_WORKER_OPTIONS_H
#define BENCH_WORKER_OPTIONS_H

#include "bench/worker/mode.h"
#include "hakmem/base/compiler.h"

#include <getopt.h>

#define OPTIONS_EXIT_USAGE 2

/* A year of operations at a nanosecond each: above it the count is a slip of the pen. */
#define OPTIONS_OPERATIONS_MAX UINT64_C(30000000000000000)

struct options {
    enum workload_mode mode;
    uint64_t operations; /* 0: not given */
    uint64_t seed;
    unsigned alignment; /* --verify: of every block of 16 bytes and more; 8 or 16 */
    unsigned decay_ms;  /* --memory: wait at most so long for memory to be given back */
};

/* What a program has beside these. */
struct options_own {
    const char *usage;   /* its own part of the help; two %s for the program's name */
    const char *operand; /* what stands behind the options, "TRACE"; NULL: nothing does */
    const struct option *rows;
    size_t row_count;
    void (*apply)(int value, const char *argument); /* one of the rows was given */
};

/* The values of rows begin here. */
#define OPTIONS_OWN 512

/* Returns the operand. *options holds the defaults. pre: called once, from main. Does not return where the arguments
 * are wrong or ask for help. */
const char *options_parse(int argc, char **argv, const struct options_own *own, struct options *options);

/* Ends the process with "PROGRAM: OPTION TEXT: WHY", usage and status 2. pre: options_parse was called */
_Noreturn void options_refuse(const char *option, const char *text, const char *why);
_Noreturn void options_refuse_range(const char *option, const char *text, uint64_t low, uint64_t high);

/* A decimal number from `low` to `high`, nothing before or after it. Refuses anything else. */
uint64_t options_number(const char *option, const char *text, uint64_t low, uint64_t high);

#endif
