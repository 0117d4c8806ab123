/* SPDX-License-Identifier: MIT */
/* The replayer's arguments. Strict: what is not understood ends the process with usage and status 2. */
#ifndef BENCH_TRACE_REPLAY_OPTIONS_H
#define BENCH_TRACE_REPLAY_OPTIONS_H

#include "bench/trace/touch.h"

struct options {
    const char *path; /* of the trace */
    enum touch touch;
    bool info, verify, memory, incomplete;
    uint64_t operations; /* at most so many calls; UINT64_MAX: all */
    uint64_t seed;       /* said again in the result; a replay draws no random numbers */
};

/* pre: called once, from main. Does not return where the arguments are wrong or ask for help. */
void options_parse(int argc, char **argv, struct options *options);

#endif
