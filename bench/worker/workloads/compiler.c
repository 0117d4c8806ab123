/* SPDX-License-Identifier: MIT */
/* A compiler's blocks: few sizes, and phases that end many lives at once. Run by runner.c on the main thread; all data
 * are the thread's own. */
#include "bench/worker/workloads/block.h"
#include "bench/worker/workloads/sizes.h"

#define COMPILER_UNIT 4096  /* blocks of one file */
#define FUNCTION_BLOCKS 512 /* allocated for one function that is compiled */
#define FUNCTION_KEPT 64    /* of these stay until the file is done: one in eight */
#define FILE_FUNCTIONS (COMPILER_UNIT / FUNCTION_BLOCKS)
#define COMPILER_SIZE_MAX 4096

HAK_STATIC_ASSERT(FUNCTION_BLOCKS + FILE_FUNCTIONS * FUNCTION_KEPT <= WORKLOAD_SLOTS, "all have a slot");

/* A file of FILE_FUNCTIONS functions: a function's blocks go together, the oldest first, when it is compiled, but for
 * the kept ones, which go with the file. */
HAK_ALWAYS_INLINE void sizes_compiler(struct workload_thread *thread, uint64_t operations,
                                      const enum workload_mode mode) {
    for (uint64_t done = 0; done < operations; done += COMPILER_UNIT) {
        unsigned next_size = (unsigned)(workload_random(thread) >> 32), kept = FUNCTION_BLOCKS;
        for (unsigned function = 0; function < FILE_FUNCTIONS; function++) {
            unsigned own = 0;
            for (unsigned i = 0; i < FUNCTION_BLOCKS; i++) {
                unsigned slot = i % (FUNCTION_BLOCKS / FUNCTION_KEPT) == 0 ? kept++ : own++;
                size_t size = thread->size[next_size++ % WORKLOAD_SIZES];
                thread->block[slot] = block_tagged(thread, size, next_size, &thread->expect[slot], mode);
            }
            for (unsigned slot = 0; slot < own; slot++) {
                block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
            }
        }
        for (unsigned slot = FUNCTION_BLOCKS; slot < kept; slot++) {
            block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
        }
    }
}

static void sizes_compiler_prepare(struct workload_thread *thread) { sizes_draw_few(thread, COMPILER_SIZE_MAX); }

WORKLOAD_LOOP(sizes_compiler, sizes_compiler)

const struct workload sizes_compiler_workload = {
    .name = "sizes_compiler",
    .description = "nine in ten of six node sizes, the rest to 4 KiB; freed by function, one in eight by file",
    .source =
        "Johnstone and Wilson, The Memory Fragmentation Problem: Solved? (ISMM 1998): few sizes make up most "
        "blocks, and phases end many lives at once",
    WORKLOAD_SINGLE,
    .unit = COMPILER_UNIT,
    .exact = true,
    .default_operations = 2441 * COMPILER_UNIT,
    .quick_operations = 25 * COMPILER_UNIT,
    .prepare = sizes_compiler_prepare,
    .run = WORKLOAD_RUN(sizes_compiler),
};
