/* What a run costs the process: time, page faults, resident memory. Read outside of the measured part. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

struct measure_faults {
    uint64_t minor, major; /* of all threads since the process started */
};

struct measure_memory {
    uint64_t peak_bytes;     /* most that was resident at a time since the program started */
    uint64_t resident_bytes; /* now */
};

/* Nanoseconds of a clock that never goes back. */
uint64_t measure_clock_ns(void);

/* Both return 0 or an errno value. */
int measure_faults_get(struct measure_faults *faults);
int measure_memory_get(struct measure_memory *memory);

#endif
