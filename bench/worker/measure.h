/* SPDX-License-Identifier: MIT */
/* What a run costs the process: time, page faults, context switches, memory. Read outside of the measured part. */
#ifndef BENCH_WORKER_MEASURE_H
#define BENCH_WORKER_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

/* Of all threads since the process started. */
struct measure_usage {
    uint64_t minor_faults, major_faults;
    uint64_t voluntary_switches, involuntary_switches;
    uint64_t user_us, system_us;
};

struct measure_memory {
    uint64_t peak_bytes;     /* most that was resident at a time since the program started */
    uint64_t resident_bytes; /* now */
};

/* Nanoseconds of a clock that never goes back. */
uint64_t measure_clock_ns(void);

/* The measured part of a run. */
struct measure_span {
    uint64_t ns;     /* by the clock on the wall: what the process waited for a processor is in it */
    uint64_t cpu_ns; /* of all threads, on a processor */
    struct measure_usage usage;
};

/* All return 0 or an errno value, and ask the allocator for nothing. */

/* Begins the measured part: the clocks are read last. Ends it: the clocks are read first, and *span becomes what
 * happened between the two. */
int measure_start(struct measure_span *span);
int measure_stop(struct measure_span *span);

/* Cheap: the kernel's counters. */
int measure_memory_get(struct measure_memory *memory);

/* Makes the peak count anew from now. */
int measure_reset_peak(void);

/* Resident bytes by a walk of the page tables, which is exact; the lines of /proc/self/maps. */
int measure_resident_get(uint64_t *bytes);
int measure_mappings_get(unsigned *mappings);

#endif
