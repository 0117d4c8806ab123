/* SPDX-License-Identifier: MIT */
/* The other calls of an allocator: realloc, calloc, aligned_alloc. Run by runner.c on the main thread; all data are the
 * thread's own. */
#include "bench/worker/workloads/sizes.h"
#include "bench/worker/workloads/tiny.h"

#include <string.h>

/* Arrays that grow by turns, so that one does not always find free what lies behind it. */
#define GROWTH_ARRAYS 8
#define GROWTH_SIZE_MIN 64
#define GROWTH_SIZE_MAX (64 * 1024)

#define CALLOC_SLOTS 256
#define CALLOC_SIZE_MAX (16 * 1024)

#define ALIGNED_SLOTS 256
#define ALIGNED_SIZE_MAX 1024

/* As often as they stand here: vectors, cache lines, pairs of lines, pages. None from 256 to 1,024: mimalloc 2.0.9,
 * which Debian 12 has, gives blocks there that are not aligned, and would have no row. */
static const uint16_t alignments[] = {32, 32, 64, 64, 64, 64, 128, 4096};
#define ALIGNMENT_COUNT (sizeof alignments / sizeof alignments[0])

static size_t grown(size_t size) { return size + size / 2; }

/* A random one of the arrays grows by half; one that is too large gives way to a new one. The first word of an array
 * is read after it has moved: it is what was written before. */
HAK_ALWAYS_INLINE void growth_step(struct workload_thread *thread, unsigned slot, uint32_t tag,
                                   const enum workload_mode mode) {
    void *p = thread->block[slot];
    size_t size = grown(thread->size[slot]);
    if (size > GROWTH_SIZE_MAX) {
        block_tagged_free(thread, p, &thread->expect[slot], mode);
        size = GROWTH_SIZE_MIN;
        thread->block[slot] = block_tagged(thread, size, tag, &thread->expect[slot], mode);
    } else {
        p = block_resize(thread, p, size, mode);
        block_tagged_check(thread, p, &thread->expect[slot], mode);
        block_tagged_keep(thread, p, size, tag, &thread->expect[slot], mode);
        thread->tally.resized++;
        thread->block[slot] = p;
    }
    thread->size[slot] = (uint32_t)size;
}

HAK_ALWAYS_INLINE void realloc_growth(struct workload_thread *thread, uint64_t operations,
                                      const enum workload_mode mode) {
    unsigned arrays = operations < GROWTH_ARRAYS ? (unsigned)operations : GROWTH_ARRAYS;
    for (unsigned slot = 0; slot < arrays; slot++) {
        thread->size[slot] = GROWTH_SIZE_MIN;
        thread->block[slot] = block_tagged(thread, GROWTH_SIZE_MIN, slot, &thread->expect[slot], mode);
    }
    for (uint64_t i = arrays; i < operations; i++) {
        uint64_t random = workload_random(thread);
        growth_step(thread, (unsigned)random % GROWTH_ARRAYS, (uint32_t)(random >> 32), mode);
    }
    for (unsigned slot = 0; slot < arrays; slot++) {
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
    }
}

static uint64_t last_word(const void *p, size_t size) {
    uint64_t word;
    memcpy(&word, (const char *)p + size - sizeof word, sizeof word);
    return word;
}

/* Frees what is in a slot, if anything is. */
HAK_ALWAYS_INLINE void slot_empty(struct workload_thread *thread, unsigned slot, const enum workload_mode mode) {
    if (thread->block[slot] != NULL) {
        block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
        thread->block[slot] = NULL;
    }
}

/* Random replacement; each block's first and last word are looked at, and written. */
HAK_ALWAYS_INLINE void zeroed(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    memset(thread->block, 0, CALLOC_SLOTS * sizeof thread->block[0]);
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        unsigned slot = (unsigned)random % CALLOC_SLOTS;
        size_t size = thread->size[i % WORKLOAD_SIZES];
        uint32_t tag = (uint32_t)(random >> 32);
        slot_empty(thread, slot, mode);
        void *p = block_request(thread, BLOCK_CALLOC, 0, size, mode);
        if (mode == WORKLOAD_VERIFIED) {
            verify_zero(p, size);
        }
        thread->tally.wrong |= *(uint64_t *)p | last_word(p, size);
        memcpy((char *)p + size - sizeof(uint64_t), &random, sizeof random);
        block_tagged_keep(thread, p, size, tag, &thread->expect[slot], mode);
        thread->block[slot] = p;
    }
    for (unsigned slot = 0; slot < CALLOC_SLOTS; slot++) {
        slot_empty(thread, slot, mode);
    }
}

static void calloc_prepare(struct workload_thread *thread) { sizes_draw_inverse_square(thread, CALLOC_SIZE_MAX); }

/* Random replacement; sizes are random multiples of the alignment. */
HAK_ALWAYS_INLINE void aligned(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    memset(thread->block, 0, ALIGNED_SLOTS * sizeof thread->block[0]);
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        unsigned slot = (unsigned)random % ALIGNED_SLOTS;
        uint32_t tag = (uint32_t)(random >> 32);
        size_t alignment = alignments[(random >> 8) % ALIGNMENT_COUNT];
        size_t size = (1 + workload_below(tag, ALIGNED_SIZE_MAX) + alignment - 1) & ~(alignment - 1);
        slot_empty(thread, slot, mode);
        void *p = block_request(thread, BLOCK_ALIGNED, alignment, size, mode);
        if (mode == WORKLOAD_VERIFIED) {
            verify_alignment(p, size, alignment);
        }
        thread->tally.wrong |= (uintptr_t)p & (alignment - 1);
        block_tagged_keep(thread, p, size, tag, &thread->expect[slot], mode);
        thread->block[slot] = p;
    }
    for (unsigned slot = 0; slot < ALIGNED_SLOTS; slot++) {
        slot_empty(thread, slot, mode);
    }
}

WORKLOAD_LOOP(realloc_growth, realloc_growth)

const struct workload realloc_growth_workload = {
    .name = "realloc_growth",
    .description = "8 arrays, a random one grows by half, from 64 bytes to 64 KiB; each growth is an operation",
    .source = "the growth by half of FBVector (Andrei Alexandrescu, Facebook's folly, 2012), by realloc",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = false,
    .default_operations = 500000,
    .quick_operations = 5000,
    .run = WORKLOAD_RUN(realloc_growth),
};

WORKLOAD_LOOP(calloc, zeroed)

const struct workload calloc_workload = {
    .name = "calloc",
    .description = "16 bytes to 16 KiB by calloc, small ones by far the most, a random one of 256 blocks replaced",
    .source = "the calls of calloc in t-test1 (Wolfram Gloger, ptmalloc)",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = true,
    .default_operations = 5000000,
    .quick_operations = 50000,
    .prepare = calloc_prepare,
    .run = WORKLOAD_RUN(calloc),
};

WORKLOAD_LOOP(aligned, aligned)

const struct workload aligned_workload = {
    .name = "aligned",
    .description =
        "aligned_alloc to 32, 64, 128 or 4,096 bytes, up to 1 KiB or a page, a random one of 256 blocks "
        "replaced",
    .source = "the calls of memalign in t-test1 (Wolfram Gloger, ptmalloc)",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = true,
    .default_operations = 4000000,
    .quick_operations = 50000,
    .run = WORKLOAD_RUN(aligned),
};
