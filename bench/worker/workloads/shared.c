/* SPDX-License-Identifier: MIT */
/* Blocks that any thread may free: a table that all threads replace blocks in.
 *
 * A slot holds a block and what is known of it in one word, so that both change hands in one exchange; no slot is
 * empty while threads run:
 *
 *   63     52 51   48 47                               0
 *   [  tag   ][ size ][      address of the block      ]
 *
 * Run by runner.c on every thread. */
#include "bench/worker/workloads/block.h"

#define SHARED_SLOTS 4096
#define ADDRESS_BITS 48
#define TAG_SHIFT 52

/* As often as they stand here: powers of two and what lies between, the larger the rarer. */
static const uint16_t sizes[] = {16, 16, 32, 32, 32, 48, 48, 64, 64, 96, 128, 192, 256, 512, 1024, 4096};
#define SIZE_COUNT (sizeof sizes / sizeof sizes[0])
HAK_STATIC_ASSERT(SIZE_COUNT == 1 << (TAG_SHIFT - ADDRESS_BITS), "the index fills its bits");

static uint64_t shared[SHARED_SLOTS]; /* atomic */

/* Frees the block that `word` says. */
HAK_ALWAYS_INLINE void shared_free(struct workload_thread *thread, uint64_t word, const enum workload_mode mode) {
    void *p = (void *)(uintptr_t)(word & ((UINT64_C(1) << ADDRESS_BITS) - 1));
    struct verify_expect expect = {
        .size = sizes[word >> ADDRESS_BITS & (SIZE_COUNT - 1)],
        .tag = (uint32_t)(word >> TAG_SHIFT),
    };
    block_tagged_free(thread, p, &expect, mode);
}

/* Allocates a block of random size; it is written when this returns its word. */
HAK_ALWAYS_INLINE uint64_t shared_alloc(struct workload_thread *thread, uint64_t random,
                                        const enum workload_mode mode) {
    unsigned size = (unsigned)(random >> ADDRESS_BITS) & (SIZE_COUNT - 1);
    uint32_t tag = (uint32_t)(random >> TAG_SHIFT);
    struct verify_expect expect;
    void *p = block_tagged(thread, sizes[size], tag, &expect, mode);
    return (uint64_t)tag << TAG_SHIFT | (uint64_t)size << ADDRESS_BITS | (uintptr_t)p;
}

/* The slots that `prepare` and `finish` leave to this thread: every so many. No other thread looks at them then: a
 * barrier stands between these and `run`. */
static void shared_heap_prepare(struct workload_thread *thread) {
    for (unsigned slot = thread->index; slot < SHARED_SLOTS; slot += thread->threads) {
        uint64_t word = shared_alloc(thread, workload_random(thread), block_untimed_mode(thread));
        hak_store_relaxed(&shared[slot], word); /* relaxed: the barrier orders it */
    }
}

static void shared_heap_finish(struct workload_thread *thread) {
    for (unsigned slot = thread->index; slot < SHARED_SLOTS; slot += thread->threads) {
        shared_free(thread, hak_load_relaxed(&shared[slot]), block_untimed_mode(thread)); /* relaxed: as above */
    }
}

/* Each operation puts a new block into a random slot and frees the one that was there, whoever allocated it. */
HAK_ALWAYS_INLINE void shared_heap(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        uint64_t word = shared_alloc(thread, random, mode);
        /* release: the block is written before another thread gets it; acquire: pairs with that, for what comes out */
        uint64_t old = __atomic_exchange_n(&shared[random % SHARED_SLOTS], word, __ATOMIC_ACQ_REL);
        shared_free(thread, old, mode);
    }
}

WORKLOAD_LOOP(shared_heap, shared_heap)

const struct workload shared_heap_workload = {
    .name = "shared_heap",
    .description = "16 bytes to 4 KiB; every thread replaces random ones of 4,096 blocks that all share",
    .source = "the transfer table of mstress (Daan Leijen, mimalloc-bench, 2019)",
    WORKLOAD_THREADS,
    .unit = 1,
    .exact = true,
    .default_operations = 3000000,
    .quick_operations = 30000,
    .prepare = shared_heap_prepare,
    .finish = shared_heap_finish,
    .run = WORKLOAD_RUN(shared_heap),
};
