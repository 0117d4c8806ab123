/* SPDX-License-Identifier: MIT */
/* Resident and live bytes over time, for --memory.
 *
 * Each thread counts the bytes that it asked for and that it freed, whoever allocated them; thread 0 takes a sample
 * every so many of its own calls, so that the number of samples does not depend on the machine. The kernel's figure is
 * smaps_rollup's, which walks the page tables: the counters of /proc/self/statm are approximate on many kernels. */
#ifndef BENCH_WORKER_MEMORY_H
#define BENCH_WORKER_MEMORY_H

#include "bench/worker/workloads/workload.h"
#include "hakmem/base/atomic.h"

/* Samples of a run that a report can rely on, and what one run keeps. */
#define MEMORY_SAMPLES_WANTED 50
#define MEMORY_SAMPLES_MAX 256

/* Operations that give as many samples: each has two calls. */
#define MEMORY_OPERATIONS_MIN (MEMORY_SAMPLES_WANTED / 2)

struct memory_sample {
    uint64_t ns; /* since memory_begin */
    uint64_t resident_bytes, live_bytes;
};

struct memory_record {
    struct memory_sample sample[MEMORY_SAMPLES_MAX];
    unsigned samples;
    uint64_t baseline_bytes;     /* resident before the first block */
    uint64_t after_free_bytes;   /* resident when every block is freed */
    uint64_t after_second_bytes; /* the same, a second later, in which no thread asks the allocator for anything */
    uint64_t after_decay_bytes;  /* the same, after decay_ns of that */
    uint64_t decay_ns;
    unsigned mappings;   /* the most at any sample */
    uint64_t live_bytes; /* at the end, by the counts of the threads: 0 */
};

/* Starts sampling. pre: on the main thread, no block was allocated, the other threads wait. Returns 0 or errno. */
int memory_begin(struct workload_thread *threads, unsigned count, uint64_t operations);

/* Ends it when everything is freed, and waits until resident memory is back at the baseline, at most `decay_ms`.
 * pre: as above. Returns 0 or errno, also for what failed while the run went on. */
int memory_end(unsigned decay_ms, struct memory_record *record);

HAK_COLD void memory_sample(struct workload_thread *thread);

HAK_ALWAYS_INLINE void memory_count_call(struct workload_thread *thread) {
    if (thread->until_sample != 0 && --thread->until_sample == 0) {
        memory_sample(thread);
    }
}

/* Owner only, as all that follows; thread 0 reads the counts at any time. */
HAK_ALWAYS_INLINE void memory_gained(struct workload_thread *thread, size_t size) {
    /* relaxed load: own variable. Release: see memory_sample. */
    hak_store_release(&thread->gained, hak_load_relaxed(&thread->gained) + size);
    memory_count_call(thread);
}

HAK_ALWAYS_INLINE void memory_lost(struct workload_thread *thread, size_t size) {
    hak_store_release(&thread->lost, hak_load_relaxed(&thread->lost) + size); /* as above */
    memory_count_call(thread);
}

#endif
