/* SPDX-License-Identifier: MIT */
/* Block sizes by distribution (sizes.h). Any thread, its own table. */
#include "bench/worker/workloads/sizes.h"

#define FEW_PERCENT 90

/* Nodes of a compiler's trees and tables: chosen, not measured on a program. */
static const uint32_t few[] = {24, 32, 40, 56, 72, 120};
#define FEW_COUNT (sizeof few / sizeof few[0])

/* By inversion: the share of sizes below s is (1 - min/s) / (1 - min/max), so with a random u below 1
 * s = min / (1 - u (1 - min/max)). In whole numbers, u = bits / 2^32. */
void sizes_draw_inverse_square(struct workload_thread *thread, uint32_t size_max) {
    const uint64_t one = UINT64_C(1) << 32;
    const uint64_t range = one - one * SIZES_MIN / size_max;
    for (unsigned i = 0; i < WORKLOAD_SIZES; i++) {
        uint64_t bits = workload_random(thread) >> 32;
        thread->size[i] = (uint32_t)(SIZES_MIN * one / (one - (bits * range >> 32)));
    }
}

void sizes_draw_few(struct workload_thread *thread, uint32_t size_max) {
    for (unsigned i = 0; i < WORKLOAD_SIZES; i++) {
        uint64_t random = workload_random(thread);
        uint32_t bits = (uint32_t)(random >> 32);
        thread->size[i] = workload_below((uint32_t)random, 100) < FEW_PERCENT
                              ? few[workload_below(bits, FEW_COUNT)]
                              : SIZES_MIN + workload_below(bits, size_max - SIZES_MIN + 1);
    }
}
