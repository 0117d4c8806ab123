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

/* What happened between two readings. */
struct measure_usage measure_usage_between(const struct measure_usage *before, const struct measure_usage *after);

/* All return 0 or an errno value, and ask the allocator for nothing. The first two are cheap. measure_resident_get
 * walks the page tables and is exact; mappings are the lines of /proc/self/maps. */
int measure_usage_get(struct measure_usage *usage);
int measure_memory_get(struct measure_memory *memory);
int measure_resident_get(uint64_t *bytes);
int measure_mappings_get(unsigned *mappings);

#endif
