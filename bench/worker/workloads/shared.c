/* SPDX-License-Identifier: MIT */
/* Blocks that any thread may free: a table that all threads replace blocks in, with sizes of all small kinds or of one
 * pool.
 *
 * A slot holds a block and what is known of it in one word, so that both change hands in one exchange; no slot is
 * empty while threads run:
 *
 *   63     52 51   48 47                               0
 *   [  tag   ][ size ][      address of the block      ]
 *
 * Run by runner.c on every thread. */
#include "bench/worker/workloads/block.h"

#define SHARED_SLOTS_MAX 4096
#define ADDRESS_BITS 48
#define TAG_SHIFT 52
#define SIZE_COUNT (1 << (TAG_SHIFT - ADDRESS_BITS)) /* the index fills its bits */

struct shared_kind {
    unsigned slots; /* at most SHARED_SLOTS_MAX */
    uint32_t sizes[SIZE_COUNT];
};

/* As often as they stand here: powers of two and what lies between, the larger the rarer. */
static const struct shared_kind heap = {SHARED_SLOTS_MAX,
                                        {16, 16, 32, 32, 32, 48, 48, 64, 64, 96, 128, 192, 256, 512, 1024, 4096}};

#define KIB(n) ((n)*1024)
#define EACH_TWICE(a, b, c, d, e, f, g, h)                                                                      \
    {                                                                                                           \
        KIB(a), KIB(a), KIB(b), KIB(b), KIB(c), KIB(c), KIB(d), KIB(d), KIB(e), KIB(e), KIB(f), KIB(f), KIB(g), \
            KIB(g), KIB(h), KIB(h)                                                                              \
    }

/* Of one pool each; the fewer slots the larger they are. */
static const struct shared_kind l2 = {1024, EACH_TWICE(2, 3, 4, 6, 8, 12, 16, 32)};
static const struct shared_kind l25 = {256, EACH_TWICE(48, 64, 96, 128, 200, 256, 512, 1024)};
static const struct shared_kind huge = {64, EACH_TWICE(1100, 1200, 1300, 1500, 2048, 2500, 3000, 4096)};

static uint64_t shared[SHARED_SLOTS_MAX]; /* atomic */

/* Frees the block that `word` says. */
HAK_ALWAYS_INLINE void shared_free(struct workload_thread *thread, const struct shared_kind *kind, uint64_t word,
                                   const enum workload_mode mode) {
    void *p = (void *)(uintptr_t)(word & ((UINT64_C(1) << ADDRESS_BITS) - 1));
    struct verify_expect expect = {
        .size = kind->sizes[word >> ADDRESS_BITS & (SIZE_COUNT - 1)],
        .tag = (uint32_t)(word >> TAG_SHIFT),
    };
    block_tagged_free(thread, p, &expect, mode);
}

/* Allocates a block of random size; it is written when this returns its word. */
HAK_ALWAYS_INLINE uint64_t shared_alloc(struct workload_thread *thread, const struct shared_kind *kind, uint64_t random,
                                        const enum workload_mode mode) {
    unsigned size = (unsigned)(random >> ADDRESS_BITS) & (SIZE_COUNT - 1);
    uint32_t tag = (uint32_t)(random >> TAG_SHIFT);
    struct verify_expect expect;
    void *p = block_tagged(thread, kind->sizes[size], tag, &expect, mode);
    return (uint64_t)tag << TAG_SHIFT | (uint64_t)size << ADDRESS_BITS | (uintptr_t)p;
}

/* The slots that `prepare` and `finish` leave to this thread: every so many. No other thread looks at them then: a
 * barrier stands between these and `run`. */
HAK_ALWAYS_INLINE void shared_prepare(struct workload_thread *thread, const struct shared_kind *kind) {
    for (unsigned slot = thread->index; slot < kind->slots; slot += thread->threads) {
        uint64_t word = shared_alloc(thread, kind, workload_random(thread), block_untimed_mode(thread));
        hak_store_relaxed(&shared[slot], word); /* relaxed: the barrier orders it */
    }
}

HAK_ALWAYS_INLINE void shared_finish(struct workload_thread *thread, const struct shared_kind *kind) {
    for (unsigned slot = thread->index; slot < kind->slots; slot += thread->threads) {
        shared_free(thread, kind, hak_load_relaxed(&shared[slot]), block_untimed_mode(thread)); /* relaxed: as above */
    }
}

/* Each operation puts a new block into a random slot and frees the one that was there, whoever allocated it. */
HAK_ALWAYS_INLINE void shared_replace(struct workload_thread *thread, uint64_t operations,
                                      const struct shared_kind *kind, const enum workload_mode mode) {
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        uint64_t word = shared_alloc(thread, kind, random, mode);
        /* release: the block is written before another thread gets it; acquire: pairs with that, for what comes out */
        uint64_t old = __atomic_exchange_n(&shared[random % kind->slots], word, __ATOMIC_ACQ_REL);
        shared_free(thread, kind, old, mode);
    }
}

#define DEFINE_KIND(kind)                                                                           \
    static void kind##_prepare(struct workload_thread *thread) { shared_prepare(thread, &(kind)); } \
    static void kind##_finish(struct workload_thread *thread) { shared_finish(thread, &(kind)); }   \
    HAK_ALWAYS_INLINE void kind##_replace(struct workload_thread *thread, uint64_t operations,      \
                                          const enum workload_mode mode) {                          \
        shared_replace(thread, operations, &(kind), mode);                                          \
    }                                                                                               \
    WORKLOAD_LOOP(kind, kind##_replace)

DEFINE_KIND(heap)
DEFINE_KIND(l2)
DEFINE_KIND(l25)
DEFINE_KIND(huge)

#define SHARED_SOURCE "the transfer table of mstress (Daan Leijen, mimalloc-bench, 2019)"

const struct workload shared_heap_workload = {
    .name = "shared_heap",
    .description = "16 bytes to 4 KiB; every thread replaces random ones of 4,096 blocks that all share",
    .source = SHARED_SOURCE,
    WORKLOAD_THREADS,
    .unit = 1,
    .exact = true,
    .default_operations = 3000000,
    .quick_operations = 30000,
    .prepare = heap_prepare,
    .finish = heap_finish,
    .run = WORKLOAD_RUN(heap),
};

/* The same table with more threads than can run. */
const struct workload oversubscribed_workload = {
    .name = "oversubscribed",
    .description = "as shared_heap, by four threads a processor",
    .source = "bench-malloc-thread of glibc's benchtests, which runs up to 32 threads on any machine; " SHARED_SOURCE,
    WORKLOAD_THREADS,
    .threads_per_processor = 4,
    .unit = 1,
    .exact = false,
    .default_operations = 750000,
    .quick_operations = 7500,
    .prepare = heap_prepare,
    .finish = heap_finish,
    .run = WORKLOAD_RUN(heap),
};

/* Rows of //bench:contention: the same with blocks of one pool. */
#define SHARED_ROW(kind, text, operations_given, quick_given) \
    const struct workload shared_##kind##_workload = {        \
        .name = "shared_" #kind,                              \
        .description = text,                                  \
        .source = SHARED_SOURCE,                              \
        WORKLOAD_CONTENTION,                                  \
        .unit = 1,                                            \
        .exact = false,                                       \
        .default_operations = (operations_given),             \
        .quick_operations = (quick_given),                    \
        .prepare = kind##_prepare,                            \
        .finish = kind##_finish,                              \
        .run = WORKLOAD_RUN(kind),                            \
    };

SHARED_ROW(l2, "2 to 32 KiB; every thread replaces random ones of 1,024 blocks that all share", 300000, 3000)
SHARED_ROW(l25, "48 KiB to 1 MiB; every thread replaces random ones of 256 blocks that all share", 20000, 500)
SHARED_ROW(huge, "1.1 to 4 MiB; every thread replaces random ones of 64 blocks that all share", 5000, 100)
