/* SPDX-License-Identifier: MIT */
/* Large blocks that come and go beside a heap that stands: nobody writes to what stands, so it costs no page, and what grows
 * with it is how far an allocator has to look for room.
 *
 * `prepare` fills the store with what stands and the thread's table with large blocks, `run` replaces these at random, `finish`
 * frees both. Run by runner.c on the main thread. */
#include "bench/worker/workloads/store.h"

#define STANDING 65536
#define STANDING_BYTES 32000 /* 2 GiB of them */

#define LARGE 64
#define LARGE_MIN 200000
#define LARGE_MAX 1000000

/* A block of random size in the slot; what was there is gone. */
HAK_ALWAYS_INLINE void large_put(struct workload_thread *thread, unsigned slot, uint64_t random,
                                 const enum workload_mode mode) {
    const size_t size = LARGE_MIN + workload_below((uint32_t)(random >> 32), LARGE_MAX - LARGE_MIN + 1);
    thread->block[slot] = block_tagged(thread, size, store_tag(random), &thread->expect[slot], mode);
}

static void standing_prepare(struct workload_thread *thread) {
    const enum workload_mode mode = block_untimed_mode(thread);
    for (unsigned slot = 0; slot < thread->slots; slot++) {
        store_block[slot] = block_request(thread, BLOCK_MALLOC, 0, STANDING_BYTES, mode);
        thread->tally.allocated++;
    }
    for (unsigned slot = 0; slot < LARGE; slot++) {
        large_put(thread, slot, workload_random(thread), mode);
    }
}

static void standing_finish(struct workload_thread *thread) {
    const enum workload_mode mode = block_untimed_mode(thread);
    for (unsigned slot = 0; slot < LARGE; slot++) {
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
    }
    for (unsigned slot = 0; slot < thread->slots; slot++) {
        thread->tally.freed++;
        block_release(thread, store_block[slot], mode);
    }
}

HAK_ALWAYS_INLINE void standing(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    for (uint64_t i = 0; i < operations; i++) {
        const uint64_t random = workload_random(thread);
        const unsigned slot = workload_below((uint32_t)random, LARGE);
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
        large_put(thread, slot, random, mode);
    }
}

WORKLOAD_LOOP(standing, standing)

const struct workload standing_workload = {
    .name = "standing",
    .description = "200,000 to 1,000,000 bytes, a random one of 64 blocks replaced, beside 2 GiB that nobody touches",
    .source = "a scenario of this project: what a large heap costs whoever asks for more",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = false,
    .default_operations = 100000,
    .quick_operations = 400,
    .store_slots = STANDING,
    .prepare = standing_prepare,
    .finish = standing_finish,
    .run = WORKLOAD_RUN(standing),
};
