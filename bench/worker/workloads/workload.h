/* SPDX-License-Identifier: MIT */
/* Workloads: loops of allocations and frees whose time is measured.
 *
 *   operation   one allocation and one free of a block; a realloc counts as both
 *   unit        the operations that a workload runs as one; counts are multiples of it
 *   prepare     before the clock starts: draws sizes, fills what the run finds filled
 *   run         `operations` of them; with `finish` or without, it ends without a live block
 *   finish      after the clock has stopped: frees what `prepare` filled
 *
 * A new workload is a loop and its `const struct workload NAME_workload` in a file of this folder, and a line in
 * table.c. runner.c calls the three functions on every thread; a barrier stands before and after `run`.
 *
 * `source` names a publication for what the workload does; sizes and counts that it leaves open are chosen here.
 * Workloads that start threads are not `exact`, and neither are those that free so much memory that allocators ask the
 * clock whether to give it back.
 *
 * Each loop is compiled once a mode, the mode a constant: the plain form that is timed holds no trace of the others. */
#ifndef BENCH_WORKER_WORKLOADS_WORKLOAD_H
#define BENCH_WORKER_WORKLOADS_WORKLOAD_H

#include "bench/worker/handover.h"
#include "bench/worker/mode.h"
#include "bench/worker/verify.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/random.h"

#define WORKLOAD_THREADS_MAX 64

/* Blocks that a thread has room for, in the table `block` and, as the tiny patterns want it, in `batch`. */
#define WORKLOAD_SLOTS 1024
#define WORKLOAD_BATCH 100

/* Bytes of a block of the working sets, on average. */
#define WORKLOAD_SET_BLOCK_BYTES 256

/* Sizes drawn before the clock starts; long enough that 16 KiB of them show no short period. */
#define WORKLOAD_SIZES 4096

/* What a thread did, in every mode: the self-check of a run (runner.c). Owner only; read when all threads ended. */
struct workload_tally {
    uint64_t allocated, freed; /* blocks; equal over all threads when nothing is live */
    uint64_t resized;          /* of both: by realloc */
    uint64_t written, read;    /* sums of the tags in blocks' first words, at the allocation and at the free */
    uint64_t wrong;            /* not 0: calloc gave a word that is not zero, a block was not aligned as asked, or
                                * one changed while only its owner wrote it */
};

/* pre: the thread that counted has ended, or waits at a barrier. */
static inline void workload_tally_add(struct workload_tally *sum, const struct workload_tally *counts) {
    sum->allocated += counts->allocated;
    sum->freed += counts->freed;
    sum->resized += counts->resized;
    sum->written += counts->written;
    sum->read += counts->read;
    sum->wrong |= counts->wrong;
}

struct latency_pair;

/* One thread's state. Owned by that thread alone; the rings are shared with its neighbours. */
struct workload_thread {
    HAK_CACHE_ALIGNED uint64_t random; /* xorshift state, never 0 */
    struct workload_tally tally;
    uint64_t number;              /* blocks marked so far, --verify only */
    struct latency_pair *latency; /* --latency only */
    enum workload_mode mode;      /* as that of `run`, for `prepare` and `finish` */
    uint64_t operations;          /* of the run */
    uint64_t life_operations;     /* of the thread that this one has started (thread_lifetimes.c) */
    unsigned index, threads;      /* which one of how many */
    unsigned slots;               /* of the store, for workloads that use it (store.c): at most `operations` */
    struct handover_ring *rings;  /* of all threads, by index */
    struct handover_ring *incoming, *outgoing; /* from the thread before, to the one after; alone, the same */
    void *batch[WORKLOAD_BATCH];
    void *block[WORKLOAD_SLOTS];
    uint32_t size[WORKLOAD_SIZES];                                             /* filled by `prepare` */
    struct verify_expect batch_expect[WORKLOAD_BATCH], expect[WORKLOAD_SLOTS]; /* --verify and --memory only */
};

typedef void workload_run(struct workload_thread *thread, uint64_t operations);

struct workload {
    const char *name;
    const char *description; /* what it does */
    const char *source;      /* the published description that it follows */
    const char *group;       /* "single", "threads", or "contention": the laboratory leaves it out */
    unsigned threads_min, threads_max;
    unsigned threads_per_processor; /* that the laboratory runs it with; 0: one */
    uint64_t unit;                  /* operations */
    bool exact;                     /* on one thread the same instructions, unless the allocator asks the clock */
    uint64_t default_operations;    /* of each thread; some 50 to 200 ms */
    uint64_t quick_operations;      /* a few ms */
    unsigned store_slots;           /* blocks in the store; 0: it is not used */
    bool working_set;               /* the blocks have WORKLOAD_SET_BLOCK_BYTES on average */
    void (*prepare)(struct workload_thread *thread); /* NULL: nothing to do */
    void (*finish)(struct workload_thread *thread);  /* likewise */
    workload_run *run[WORKLOAD_MODES];
};

extern const struct workload *const workload_table[];
extern const size_t workload_count;

/* The workload of that name; NULL where there is none. */
const struct workload *workload_find(const char *name);

HAK_ALWAYS_INLINE uint64_t workload_random(struct workload_thread *thread) {
    return random_xorshift64(&thread->random);
}

/* A number below `bound` from 32 random bits, by multiplication: no division in a timed loop. */
HAK_ALWAYS_INLINE uint32_t workload_below(uint32_t bits, uint32_t bound) {
    return (uint32_t)(((uint64_t)bits * bound) >> 32);
}

/* The four forms of a loop, for WORKLOAD_RUN. LOOP is an always-inlined function of (thread, operations, mode). */
#define WORKLOAD_LOOP(name, LOOP)                                                          \
    static void name##_run(struct workload_thread *thread, uint64_t operations) {          \
        LOOP(thread, operations, WORKLOAD_PLAIN);                                          \
    }                                                                                      \
    static void name##_run_verified(struct workload_thread *thread, uint64_t operations) { \
        LOOP(thread, operations, WORKLOAD_VERIFIED);                                       \
    }                                                                                      \
    static void name##_run_memory(struct workload_thread *thread, uint64_t operations) {   \
        LOOP(thread, operations, WORKLOAD_MEMORY);                                         \
    }                                                                                      \
    static void name##_run_latency(struct workload_thread *thread, uint64_t operations) {  \
        LOOP(thread, operations, WORKLOAD_LATENCY);                                        \
    }

#define WORKLOAD_RUN(name) \
    { name##_run, name##_run_verified, name##_run_memory, name##_run_latency }

/* The group of workloads of one thread, and those of workloads that run on any number of them. */
#define WORKLOAD_SINGLE .group = "single", .threads_min = 1, .threads_max = 1
#define WORKLOAD_THREADS .group = "threads", .threads_min = 1, .threads_max = WORKLOAD_THREADS_MAX
#define WORKLOAD_CONTENTION .group = "contention", .threads_min = 1, .threads_max = WORKLOAD_THREADS_MAX

#endif
