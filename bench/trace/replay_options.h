/* SPDX-License-Identifier: MIT */
/* The replayer's arguments: which trace, and what is done with its blocks. How that is measured, options.h says. */
#ifndef BENCH_TRACE_REPLAY_OPTIONS_H
#define BENCH_TRACE_REPLAY_OPTIONS_H

#include "bench/trace/touch.h"
#include "bench/worker/options.h"

struct replay_options {
    struct options how; /* operations: at most so many calls */
    const char *path;   /* of the trace */
    enum touch touch;
    bool info, paths, incomplete;
};

/* pre: called once, from main. Does not return where the arguments are wrong or ask for help. */
void replay_options_parse(int argc, char **argv, struct replay_options *options);

#endif
