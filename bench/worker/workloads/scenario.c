/* SPDX-License-Identifier: MIT */
/* Scenarios: programs that work in large blocks, and one that uses every pool at once.
 *
 * `json`, `mir` and `vm` take blocks of one size each and keep a small working set; `mixed` draws from the
 * table below. Memory is touched as such a program would touch it, a byte a page: that brings in the page
 * faults, which are the price of an allocator that maps and unmaps, and leaves out the program's own work.
 * Run by runner.c on the main thread; all data are the thread's own. */
#include "bench/worker/workloads/tiny.h"

#define MIR_DEPTH 4
#define JSON_BYTES (64 * 1024)
#define JSON_DOCUMENTS 8
#define MIR_BYTES (256 * 1024)
#define VM_BYTES (2 * 1024 * 1024)
#define VM_SEGMENTS 2
#define MIXED_SLOTS 256
#define CHURN_SLOTS 16
#define CHURN_BYTES_MIN (1024 * 1024)
#define CHURN_BYTES_MAX (8 * 1024 * 1024)

/* large_churn uses one page in as many: buffers that are not full. */
#define CHURN_STEP (16 * BLOCK_PAGE_BYTES)

/* What `mixed` asks for. Counts fall by about a half and more from pool to pool while bytes rise: the shape
 * that makes every pool matter, small blocks by number and large ones by memory. The figures are chosen, not
 * measured on a program. Sizes within a row are equally likely. */
static const struct mix_row {
    uint32_t size_min, size_max; /* bytes, inclusive */
    uint32_t share;              /* of a thousand allocations */
} mix[] = {
    {8, 64, 500},                          /* tiny: nodes, short strings */
    {65, 1024, 300},                       /* tiny: records, strings */
    {1025, 32 * 1024, 160},                /* L2: buffers */
    {32 * 1024 + 1, 1024 * 1024, 35},      /* L2.5: tables, files */
    {1024 * 1024 + 1, 4 * 1024 * 1024, 5}, /* huge: images */
};
#define MIX_SHARES 1000

/* Writes a byte at `from` and at every `step` bytes after it, up to `to`. */
HAK_ALWAYS_INLINE void touch(void *p, size_t from, size_t to, size_t step) {
    for (size_t i = from; i < to; i += step) {
        ((volatile unsigned char *)p)[i] = 1;
    }
}

/* A block of `size` bytes takes the place of the one in `slot`; its pages are written from the front, one in every
 * `step` bytes. */
HAK_ALWAYS_INLINE void take_turn(struct workload_thread *thread, unsigned slot, size_t size, size_t step,
                                 const enum workload_mode mode) {
    block_bare_free(thread, thread->block[slot], &thread->expect[slot], mode);
    void *p = block_request(thread, BLOCK_MALLOC, 0, size, mode);
    touch(p, 0, size, step);
    block_bare_keep(thread, p, size, &thread->expect[slot], mode);
    thread->block[slot] = p;
}

/* A parser with JSON_DOCUMENTS documents in flight: each buffer is filled by the document's text, and the
 * oldest one goes when the next one comes. */
HAK_ALWAYS_INLINE void json(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    slots_clear(thread, JSON_DOCUMENTS);
    uint64_t i;
    for (i = 0; i < operations; i++) {
        take_turn(thread, (unsigned)(i % JSON_DOCUMENTS), JSON_BYTES, BLOCK_PAGE_BYTES, mode);
    }
    thread->tally.allocated += i;
    thread->tally.freed += i;
    slots_free(thread, JSON_DOCUMENTS, mode);
}

/* A compiler's arenas: MIR_DEPTH nested passes, each fills its arena from the front, from one page up to all
 * of it as the function's length has it, and they are freed from the innermost outwards. */
HAK_ALWAYS_INLINE void mir(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    unsigned next_fill = 0;
    for (uint64_t done = 0; done < operations; done += MIR_DEPTH) {
        unsigned pass;
        for (pass = 0; pass < MIR_DEPTH; pass++) {
            void *p = block_request(thread, BLOCK_MALLOC, 0, MIR_BYTES, mode);
            touch(p, 0, thread->size[next_fill++ % WORKLOAD_SIZES], BLOCK_PAGE_BYTES);
            block_bare_keep(thread, p, MIR_BYTES, &thread->expect[pass], mode);
            thread->block[pass] = p;
        }
        thread->tally.allocated += pass;
        while (pass-- > 0) {
            block_bare_free(thread, thread->block[pass], &thread->expect[pass], mode);
        }
        thread->tally.freed += MIR_DEPTH - (pass + 1);
    }
}

static void mir_prepare(struct workload_thread *thread) {
    for (unsigned i = 0; i < WORKLOAD_SIZES; i++) {
        thread->size[i] = 1 + workload_below((uint32_t)(workload_random(thread) >> 32), MIR_BYTES);
    }
}

/* An interpreter's segments of heap and stack: the first quarter is in use, page by page, and of the rest one
 * page in eight, where large objects start. VM_SEGMENTS live at a time; the older one goes first. */
HAK_ALWAYS_INLINE void vm(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    slots_clear(thread, VM_SEGMENTS);
    uint64_t i;
    for (i = 0; i < operations; i++) {
        unsigned slot = (unsigned)(i % VM_SEGMENTS);
        block_bare_free(thread, thread->block[slot], &thread->expect[slot], mode);
        void *p = block_request(thread, BLOCK_MALLOC, 0, VM_BYTES, mode);
        touch(p, 0, VM_BYTES / 4, BLOCK_PAGE_BYTES);
        touch(p, VM_BYTES / 4, VM_BYTES, 8 * BLOCK_PAGE_BYTES);
        block_bare_keep(thread, p, VM_BYTES, &thread->expect[slot], mode);
        thread->block[slot] = p;
    }
    thread->tally.allocated += i;
    thread->tally.freed += i;
    slots_free(thread, VM_SEGMENTS, mode);
}

/* Random replacement in MIXED_SLOTS slots with the sizes of `mix`; every page of a block is touched. */
HAK_ALWAYS_INLINE void mixed(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    slots_clear(thread, MIXED_SLOTS);
    uint64_t i;
    for (i = 0; i < operations; i++) {
        unsigned slot = (unsigned)workload_random(thread) % MIXED_SLOTS;
        take_turn(thread, slot, thread->size[i % WORKLOAD_SIZES], BLOCK_PAGE_BYTES, mode);
    }
    thread->tally.allocated += i;
    thread->tally.freed += i;
    slots_free(thread, MIXED_SLOTS, mode);
}

static void mixed_prepare(struct workload_thread *thread) {
    for (unsigned i = 0; i < WORKLOAD_SIZES; i++) {
        uint64_t random = workload_random(thread);
        uint32_t share = workload_below((uint32_t)random, MIX_SHARES);
        const struct mix_row *row = mix;
        while (share >= row->share) {
            share -= row->share;
            row++;
        }
        uint32_t span = row->size_max - row->size_min + 1;
        thread->size[i] = row->size_min + workload_below((uint32_t)(random >> 32), span);
    }
}

/* Random replacement of a few very large buffers, of which a part is used. */
HAK_ALWAYS_INLINE void large_churn(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    slots_clear(thread, CHURN_SLOTS);
    uint64_t i;
    for (i = 0; i < operations; i++) {
        uint64_t random = workload_random(thread);
        uint32_t more = workload_below((uint32_t)(random >> 32), CHURN_BYTES_MAX - CHURN_BYTES_MIN + 1);
        take_turn(thread, (unsigned)random % CHURN_SLOTS, CHURN_BYTES_MIN + more, CHURN_STEP, mode);
    }
    thread->tally.allocated += i;
    thread->tally.freed += i;
    slots_free(thread, CHURN_SLOTS, mode);
}

WORKLOAD_LOOP(json, json)

const struct workload json_workload = {
    .name = "json",
    .description = "64 KiB, 8 live, oldest first; every page written",
    .source = "a scenario of this project: documents that a parser has in flight",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = false,
    .default_operations = 400000,
    .quick_operations = 4000,
    .run = WORKLOAD_RUN(json),
};

WORKLOAD_LOOP(mir, mir)

const struct workload mir_workload = {
    .name = "mir",
    .description = "256 KiB, 4 nested; a random part from the front written",
    .source = "a scenario of this project: arenas of a compiler's passes",
    WORKLOAD_SINGLE,
    .unit = MIR_DEPTH,
    .exact = false,
    .default_operations = 20000,
    .quick_operations = 1000,
    .prepare = mir_prepare,
    .run = WORKLOAD_RUN(mir),
};

WORKLOAD_LOOP(vm, vm)

const struct workload vm_workload = {
    .name = "vm",
    .description = "2 MiB, 2 live, older first; the first quarter and then one page in eight written",
    .source = "a scenario of this project: segments of an interpreter's heap",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = false,
    .default_operations = 30000,
    .quick_operations = 200,
    .run = WORKLOAD_RUN(vm),
};

WORKLOAD_LOOP(mixed, mixed)

const struct workload mixed_workload = {
    .name = "mixed",
    .description = "8 bytes to 4 MiB over all pools, a random one of 256 blocks replaced; every page written",
    .source = "a scenario of this project: a program that uses every pool at once",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = false,
    .default_operations = 200000,
    .quick_operations = 2000,
    .prepare = mixed_prepare,
    .run = WORKLOAD_RUN(mixed),
};

WORKLOAD_LOOP(large_churn, large_churn)

const struct workload large_churn_workload = {
    .name = "large_churn",
    .description = "1 to 8 MiB, a random one of 16 blocks replaced; one page in 16 written",
    .source = "malloc-large of mimalloc-bench (Daan Leijen): a few very large blocks replaced at random",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = false,
    .default_operations = 1000,
    .quick_operations = 50,
    .run = WORKLOAD_RUN(large_churn),
};
