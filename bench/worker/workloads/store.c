/* SPDX-License-Identifier: MIT */
/* Workloads of one thread that keep many blocks: working sets of a given size, and sizes as programs have them.
 *
 * `prepare` fills the store, `run` replaces blocks at random, `finish` frees what is there. A run of fewer
 * operations than the store has slots fills as many slots as it has operations: a short run is short.
 * Run by runner.c on the main thread. */
#include "bench/worker/workloads/store.h"

#include "bench/worker/workloads/sizes.h"

#define SET_SIZE_MIN 16
#define SET_SIZE_MAX 496
HAK_STATIC_ASSERT((SET_SIZE_MIN + SET_SIZE_MAX) / 2 == WORKLOAD_SET_BLOCK_BYTES, "sizes are drawn evenly");

#define KIB UINT32_C(1024)
#define MIB (1024 * KIB)

#define SERVER_SIZE_MAX (64 * 1024)

void *store_block[STORE_SLOTS];
struct verify_expect store_expect[STORE_SLOTS];

void store_touch(unsigned slots, enum workload_mode mode) {
    block_touch_all(store_block, 0, slots * sizeof store_block[0]);
    if (mode == WORKLOAD_VERIFIED || mode == WORKLOAD_MEMORY) {
        block_touch_all(store_expect, 0, slots * sizeof store_expect[0]);
    }
}

static void store_finish(struct workload_thread *thread) {
    const enum workload_mode mode = block_untimed_mode(thread);
    for (unsigned slot = 0; slot < thread->slots; slot++) {
        block_tagged_free(thread, store_block[slot], &store_expect[slot], mode);
    }
}

/* A block of `size` bytes takes the place of the one in `slot`. */
HAK_ALWAYS_INLINE void store_replace(struct workload_thread *thread, unsigned slot, size_t size, uint32_t tag,
                                     const enum workload_mode mode) {
    block_tagged_free(thread, store_block[slot], &store_expect[slot], mode);
    store_block[slot] = block_tagged(thread, size, tag, &store_expect[slot], mode);
}

HAK_ALWAYS_INLINE size_t set_size(uint64_t random) {
    return SET_SIZE_MIN + workload_below((uint32_t)(random >> 32), SET_SIZE_MAX - SET_SIZE_MIN + 1);
}

static void working_set_prepare(struct workload_thread *thread) {
    const enum workload_mode mode = block_untimed_mode(thread);
    for (unsigned slot = 0; slot < thread->slots; slot++) {
        uint64_t random = workload_random(thread);
        store_block[slot] = block_tagged(thread, set_size(random), store_tag(random), &store_expect[slot], mode);
    }
}

/* A random block of the set replaced by one of random size. */
HAK_ALWAYS_INLINE void working_set(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    const unsigned slots = thread->slots;
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        store_replace(thread, workload_below((uint32_t)random, slots), set_size(random), store_tag(random), mode);
    }
}

static void sizes_server_prepare(struct workload_thread *thread) {
    const enum workload_mode mode = block_untimed_mode(thread);
    sizes_draw_inverse_square(thread, SERVER_SIZE_MAX);
    for (unsigned slot = 0; slot < thread->slots; slot++) {
        uint64_t random = workload_random(thread);
        size_t size = thread->size[slot % WORKLOAD_SIZES];
        store_block[slot] = block_tagged(thread, size, store_tag(random), &store_expect[slot], mode);
    }
}

/* The same with sizes drawn by sizes_server_prepare. */
HAK_ALWAYS_INLINE void sizes_server(struct workload_thread *thread, uint64_t operations,
                                    const enum workload_mode mode) {
    const unsigned slots = thread->slots;
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        store_replace(thread, workload_below((uint32_t)random, slots), thread->size[i % WORKLOAD_SIZES],
                      store_tag(random), mode);
    }
}

WORKLOAD_LOOP(working_set, working_set)

#define WORKING_SET(id, text, bytes, same, operations, quick)                                          \
    const struct workload id##_workload = {                                                            \
        .name = #id,                                                                                   \
        .description = "a random one of the blocks of 16 to 496 bytes replaced, " text " live",        \
        .source =                                                                                      \
            "random replacement as in Larson and Krishnan, Memory Allocation for Long-Running Server " \
            "Applications (ISMM 1998), over the sizes of a memory hierarchy as in McVoy and Staelin, " \
            "lmbench (USENIX 1996)",                                                                   \
        WORKLOAD_SINGLE,                                                                               \
        .unit = 1,                                                                                     \
        .exact = same,                                                                                 \
        .default_operations = operations,                                                              \
        .quick_operations = quick,                                                                     \
        .store_slots = (bytes) / WORKLOAD_SET_BLOCK_BYTES,                                             \
        .working_set = true,                                                                           \
        .prepare = working_set_prepare,                                                                \
        .finish = store_finish,                                                                        \
        .run = WORKLOAD_RUN(working_set)}

WORKING_SET(replacement_1k, "1 KiB", KIB, true, 10000000, 100000);
WORKING_SET(replacement_64k, "64 KiB", 64 * KIB, true, 10000000, 100000);
WORKING_SET(replacement_1m, "1 MiB", MIB, true, 10000000, 100000);
WORKING_SET(replacement_16m, "16 MiB", 16 * MIB, false, 3000000, 65536);
WORKING_SET(replacement_256m, "256 MiB", 256 * MIB, false, 1048576, 100000);

WORKLOAD_LOOP(sizes_server, sizes_server)

const struct workload sizes_server_workload = {
    .name = "sizes_server",
    .description = "16 bytes to 64 KiB, small ones by far the most, a random one of 16,384 blocks replaced",
    .source = "the inverse-square sizes of bench-malloc (Will Newton, GNU C library benchtests, 2014)",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = false,
    .default_operations = 5000000,
    .quick_operations = 50000,
    .store_slots = 16384,
    .prepare = sizes_server_prepare,
    .finish = store_finish,
    .run = WORKLOAD_RUN(sizes_server),
};
