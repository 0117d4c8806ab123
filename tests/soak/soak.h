/* SPDX-License-Identifier: MIT */
/* A long run: phases of load, and a pause after each in which everything that is promised is looked at. */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#include <stdbool.h>
#include <stdint.h>

struct soak_options {
    uint64_t seed;
    double minutes;           /* of wall time; 0: `cycles` counts */
    unsigned cycles;          /* each goes through all phases once and ends with nothing allocated */
    unsigned long operations; /* of each thread in each phase */
    bool says_progress;       /* a line a cycle on standard output */
    bool judges_speed;        /* on a machine that does nothing else only */
    bool judges_resident;     /* not where a sanitizer's memory is resident as well */
};

struct soak_result {
    unsigned failures; /* each was said on standard error */
    unsigned cycles, pauses, children;
    uint64_t allocations;
    double
        resident_growth; /* bytes, of the resident memory when nothing is allocated, over the run without its first quarter */
    double speed_growth; /* as a part of the time of a pair of calls, likewise */
};

struct soak_result soak_run(const struct soak_options *options);

#endif
