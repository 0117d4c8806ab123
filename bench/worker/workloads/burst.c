/* SPDX-License-Identifier: MIT */
/* Bursts on every thread, each for itself: many blocks at once, and none in between. Run by runner.c; all data are the
 * thread's own. */
#include "bench/worker/workloads/block.h"
#include "bench/worker/workloads/sizes.h"

#define BURST_UNIT 1024
#define BURST_SIZE_MAX 1024
#define HALF (BURST_UNIT / 2)

HAK_STATIC_ASSERT(BURST_UNIT <= WORKLOAD_SLOTS, "each block has a slot");

static void burst_prepare(struct workload_thread *thread) { sizes_draw_inverse_square(thread, BURST_SIZE_MAX); }

HAK_ALWAYS_INLINE void burst_fill(struct workload_thread *thread, unsigned from, const uint32_t *size,
                                  const enum workload_mode mode) {
    for (unsigned slot = from; slot < from + HALF; slot++) {
        thread->block[slot] = block_tagged(thread, size[slot], size[slot] + slot, &thread->expect[slot], mode);
    }
}

HAK_ALWAYS_INLINE void burst_free(struct workload_thread *thread, unsigned slot, const enum workload_mode mode) {
    block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
}

/* A unit: half of the blocks come, every second of them goes, the oldest first; the other half comes; then all that
 * is left goes, the newest first. */
HAK_ALWAYS_INLINE void burst(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    for (uint64_t done = 0; done < operations; done += BURST_UNIT) {
        unsigned offset = workload_below((uint32_t)(workload_random(thread) >> 32), WORKLOAD_SIZES - BURST_UNIT + 1);
        const uint32_t *size = &thread->size[offset];
        burst_fill(thread, 0, size, mode);
        for (unsigned slot = 0; slot < HALF; slot += 2) {
            burst_free(thread, slot, mode);
        }
        burst_fill(thread, HALF, size, mode);
        for (unsigned slot = BURST_UNIT; slot-- > HALF;) {
            burst_free(thread, slot, mode);
        }
        for (unsigned slot = HALF; slot > 0; slot -= 2) {
            burst_free(thread, slot - 1, mode);
        }
    }
}

WORKLOAD_LOOP(burst, burst)

const struct workload burst_workload = {
    .name = "burst",
    .description =
        "16 bytes to 1 KiB, 1,024 blocks come in two bursts; some go the oldest first, the others the "
        "newest first",
    .source = "sh6bench (MicroQuill, SmartHeap), with both of its orders of freeing",
    WORKLOAD_THREADS,
    .unit = BURST_UNIT,
    .exact = true,
    .default_operations = 4882 * BURST_UNIT,
    .quick_operations = 48 * BURST_UNIT,
    .prepare = burst_prepare,
    .run = WORKLOAD_RUN(burst),
};
