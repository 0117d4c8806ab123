/* Workloads: loops of allocations and frees whose time is measured.
 *
 *   operation   one allocation and one free of a block
 *   unit        the operations that a workload runs as one; counts are multiples of it
 *   run         `operations` allocations and as many frees; it starts and ends without a live block
 *
 * A new workload is a loop in a workload_*.c file and a row in workload_table.c. worker.c calls
 * `prepare` and `run` on every thread, between barriers; the clock covers `run` alone. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/handover.h"
#include "bench/verify.h"
#include "hakmem/base/compiler.h"

/* Slots of the replacement patterns; the most that any of them keeps is TINY_SLOTS. */
#define TINY_SLOTS 1024

/* Operations in a unit: blocks of a batch, a batch and as many replacements, the same and as many blocks handed
 * over, arenas nested in each other. */
#define TINY_BATCH 100
#define MT_LOCAL_UNIT (2 * TINY_BATCH)
#define MT_HANDOVER_UNIT (3 * TINY_BATCH)
#define MIR_DEPTH 4

/* Sizes drawn before the clock starts; long enough that 16 KiB of them show no short period. */
#define WORKLOAD_SIZES 4096

#define WORKLOAD_THREADS_MAX 64

/* One thread's state. Owned by that thread alone; the rings are shared with its two neighbours. */
struct workload_thread {
    uint64_t random; /* xorshift state, never 0 */
    uint64_t number; /* blocks marked so far, --verify only */
    struct handover_ring *incoming; /* from the thread before */
    struct handover_ring *outgoing; /* to the thread after; with one thread the same ring */
    void *batch[TINY_BATCH];       /* live blocks of the pattern `batch` */
    void *block[TINY_SLOTS];       /* live blocks of every other pattern */
    uint32_t size[WORKLOAD_SIZES]; /* filled by `prepare`; bytes */
    struct verify_expect batch_expect[TINY_BATCH], expect[TINY_SLOTS]; /* --verify only */
};

typedef void workload_run(struct workload_thread *thread, uint64_t operations);

struct workload {
    const char *name;
    const char *description;
    uint64_t unit;        /* operations */
    unsigned threads_max; /* 1 or WORKLOAD_THREADS_MAX */
    void (*prepare)(struct workload_thread *thread); /* before the clock starts; NULL: nothing to do */
    workload_run *run;
    workload_run *run_verified; /* the same loop with every block checked */
};

extern const struct workload workload_table[];
extern const size_t workload_count;

/* The workload of that name; NULL where there is none. */
const struct workload *workload_find(const char *name);

/* Marsaglia's xorshift64 with his shifts 13, 7, 17: three shifts, no multiplication, period 2^64 - 1. */
HAK_ALWAYS_INLINE uint64_t workload_random(struct workload_thread *thread) {
    uint64_t x = thread->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    thread->random = x;
    return x;
}

/* A number below `bound` from 32 random bits, by multiplication: no division in a timed loop. */
HAK_ALWAYS_INLINE uint32_t workload_below(uint32_t bits, uint32_t bound) {
    return (uint32_t)(((uint64_t)bits * bound) >> 32);
}

/* Loops, one instantiation with and one without checks. */
workload_run tiny_pair_run, tiny_pair_run_verified;
workload_run tiny_batch_run, tiny_batch_run_verified;
workload_run tiny_replacement_run, tiny_replacement_run_verified;
workload_run mt_local_run, mt_local_run_verified;
workload_run mt_handover_run, mt_handover_run_verified;
workload_run json_run, json_run_verified;
workload_run mir_run, mir_run_verified;
workload_run vm_run, vm_run_verified;
workload_run mixed_run, mixed_run_verified;

void mt_handover_prepare(struct workload_thread *thread);
void mir_prepare(struct workload_thread *thread);
void mixed_prepare(struct workload_thread *thread);

#endif
