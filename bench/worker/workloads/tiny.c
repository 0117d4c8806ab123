/* SPDX-License-Identifier: MIT */
/* Tiny blocks on one thread: the patterns that show what a malloc and a free cost when nothing else happens.
 *
 * Run by runner.c on the main thread; all data are the thread's own. */
#include "bench/worker/workloads/tiny.h"

/* Orders of a batch that fit into the thread's table; batch_random takes one after the other. */
#define ORDERS (WORKLOAD_SIZES / WORKLOAD_BATCH)

/* One block at a time: allocated and freed at once. */
HAK_ALWAYS_INLINE void pair(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    uint64_t i;
    for (i = 0; i < operations; i++) {
        void *p = block_bare(thread, tiny_cycled_size(i), &thread->batch_expect[0], mode);
        block_bare_free(thread, p, &thread->batch_expect[0], mode);
    }
    thread->tally.allocated += i;
    thread->tally.freed += i;
}

HAK_ALWAYS_INLINE void batch_lifo(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    for (uint64_t done = 0; done < operations; done += WORKLOAD_BATCH) {
        tiny_batch_fill(thread, mode);
        tiny_batch_free_lifo(thread, mode);
    }
}

/* The first block goes first. */
HAK_ALWAYS_INLINE void batch_fifo(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    for (uint64_t done = 0; done < operations; done += WORKLOAD_BATCH) {
        tiny_batch_fill(thread, mode);
        unsigned i;
        for (i = 0; i < WORKLOAD_BATCH; i++) {
            block_bare_free(thread, thread->batch[i], &thread->batch_expect[i], mode);
        }
        thread->tally.freed += i;
    }
}

/* The blocks go in the order that `prepare` drew, another one each time. */
HAK_ALWAYS_INLINE void batch_random(struct workload_thread *thread, uint64_t operations,
                                    const enum workload_mode mode) {
    unsigned turn = 0;
    for (uint64_t done = 0; done < operations; done += WORKLOAD_BATCH) {
        const uint32_t *order = &thread->size[turn * WORKLOAD_BATCH];
        turn = turn + 1 < ORDERS ? turn + 1 : 0;
        tiny_batch_fill(thread, mode);
        unsigned i;
        for (i = 0; i < WORKLOAD_BATCH; i++) {
            block_bare_free(thread, thread->batch[order[i]], &thread->batch_expect[order[i]], mode);
        }
        thread->tally.freed += i;
    }
}

/* ORDERS permutations of a batch, each equally likely (Fisher and Yates). */
static void batch_random_prepare(struct workload_thread *thread) {
    for (unsigned turn = 0; turn < ORDERS; turn++) {
        uint32_t *order = &thread->size[turn * WORKLOAD_BATCH];
        for (uint32_t i = 0; i < WORKLOAD_BATCH; i++) {
            uint32_t other = workload_below((uint32_t)(workload_random(thread) >> 32), i + 1);
            order[i] = order[other];
            order[other] = i;
        }
    }
}

HAK_ALWAYS_INLINE void replacement(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    slots_clear(thread, WORKLOAD_SLOTS);
    tiny_replace(thread, operations, mode);
    slots_free(thread, WORKLOAD_SLOTS, mode);
}

WORKLOAD_LOOP(pair, pair)

const struct workload pair_workload = {
    .name = "pair",
    .description = "8 to 64 bytes, one block allocated and freed at once",
    .source =
        "the malloc and free loop of Lever and Boreham, malloc() Performance in a Multithreaded Linux "
        "Environment (USENIX 2000)",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = true,
    .default_operations = 20000000,
    .quick_operations = 200000,
    .run = WORKLOAD_RUN(pair),
};

WORKLOAD_LOOP(batch_lifo, batch_lifo)

const struct workload batch_lifo_workload = {
    .name = "batch_lifo",
    .description = "8 to 64 bytes, 100 blocks allocated, then freed, the last one first",
    .source = "sh6bench (MicroQuill, SmartHeap): the blocks that are freed in the order opposite to their allocation",
    WORKLOAD_SINGLE,
    .unit = WORKLOAD_BATCH,
    .exact = true,
    .default_operations = 20000000,
    .quick_operations = 200000,
    .run = WORKLOAD_RUN(batch_lifo),
};

WORKLOAD_LOOP(batch_fifo, batch_fifo)

const struct workload batch_fifo_workload = {
    .name = "batch_fifo",
    .description = "8 to 64 bytes, 100 blocks allocated, then freed, the first one first",
    .source = "sh6bench (MicroQuill, SmartHeap): the blocks that are freed in the order of their allocation",
    WORKLOAD_SINGLE,
    .unit = WORKLOAD_BATCH,
    .exact = true,
    .default_operations = 20000000,
    .quick_operations = 200000,
    .run = WORKLOAD_RUN(batch_fifo),
};

WORKLOAD_LOOP(batch_random, batch_random)

const struct workload batch_random_workload = {
    .name = "batch_random",
    .description = "8 to 64 bytes, 100 blocks allocated, then freed in random order",
    .source = "bench-malloc (Will Newton, GNU C library benchtests, 2014): blocks freed in random order",
    WORKLOAD_SINGLE,
    .unit = WORKLOAD_BATCH,
    .exact = true,
    .default_operations = 20000000,
    .quick_operations = 200000,
    .prepare = batch_random_prepare,
    .run = WORKLOAD_RUN(batch_random),
};

WORKLOAD_LOOP(replacement, replacement)

const struct workload replacement_workload = {
    .name = "replacement",
    .description = "8 to 64 bytes, a random one of 1,024 blocks replaced",
    .source = "Larson and Krishnan, Memory Allocation for Long-Running Server Applications (ISMM 1998), on one thread",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = true,
    .default_operations = 20000000,
    .quick_operations = 200000,
    .run = WORKLOAD_RUN(replacement),
};
