/* Scenarios: programs that work in large blocks, and one that uses every pool at once.
 *
 * `json`, `mir` and `vm` take blocks of one size each and keep a small working set; `mixed` draws from the
 * table below. Memory is touched as such a program would touch it, a byte a page: that brings in the page
 * faults, which are the price of an allocator that maps and unmaps, and leaves out the program's own work.
 * Run by worker.c on the main thread; all data are the thread's own. */
#include "bench/workload_patterns.h"

/* Base page of x86-64 and of most arm64 systems. */
#define PAGE_BYTES 4096

#define JSON_BYTES (64 * 1024)
#define JSON_DOCUMENTS 8
#define MIR_BYTES (256 * 1024)
#define VM_BYTES (2 * 1024 * 1024)
#define VM_SEGMENTS 2
#define MIXED_SLOTS 256

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

/* The block p of `size` bytes is live in `slot` from now on. */
HAK_ALWAYS_INLINE void keep(struct workload_thread *thread, unsigned slot, void *p, size_t size, const bool verify) {
    thread->block[slot] = p;
    if (verify) {
        verify_mark(p, size, thread->number++, &thread->expect[slot]);
    }
}

/* A parser with JSON_DOCUMENTS documents in flight: each buffer is filled by the document's text, and the
 * oldest one goes when the next one comes. */
HAK_ALWAYS_INLINE void json(struct workload_thread *thread, uint64_t operations, const bool verify) {
    pattern_slots_clear(thread, JSON_DOCUMENTS);
    for (uint64_t i = 0; i < operations; i++) {
        unsigned slot = (unsigned)(i % JSON_DOCUMENTS);
        pattern_free(thread->block[slot], &thread->expect[slot], verify);
        void *p = bench_alloc(JSON_BYTES);
        bench_escape(p);
        touch(p, 0, JSON_BYTES, PAGE_BYTES);
        keep(thread, slot, p, JSON_BYTES, verify);
    }
    pattern_slots_free(thread, JSON_DOCUMENTS, verify);
}

/* A compiler's arenas: MIR_DEPTH nested passes, each fills its arena from the front, from one page up to all
 * of it as the function's length has it, and they are freed from the innermost outwards. */
HAK_ALWAYS_INLINE void mir(struct workload_thread *thread, uint64_t operations, const bool verify) {
    unsigned next_fill = 0;
    for (uint64_t done = 0; done < operations; done += MIR_DEPTH) {
        for (unsigned pass = 0; pass < MIR_DEPTH; pass++) {
            void *p = bench_alloc(MIR_BYTES);
            bench_escape(p);
            touch(p, 0, thread->size[next_fill++ % WORKLOAD_SIZES], PAGE_BYTES);
            keep(thread, pass, p, MIR_BYTES, verify);
        }
        for (unsigned pass = MIR_DEPTH; pass-- > 0;) {
            pattern_free(thread->block[pass], &thread->expect[pass], verify);
        }
    }
}

void mir_prepare(struct workload_thread *thread) {
    for (unsigned i = 0; i < WORKLOAD_SIZES; i++) {
        thread->size[i] = 1 + workload_below((uint32_t)(workload_random(thread) >> 32), MIR_BYTES);
    }
}

/* An interpreter's segments of heap and stack: the first quarter is in use, page by page, and of the rest one
 * page in eight, where large objects start. VM_SEGMENTS live at a time; the older one goes first. */
HAK_ALWAYS_INLINE void vm(struct workload_thread *thread, uint64_t operations, const bool verify) {
    pattern_slots_clear(thread, VM_SEGMENTS);
    for (uint64_t i = 0; i < operations; i++) {
        unsigned slot = (unsigned)(i % VM_SEGMENTS);
        pattern_free(thread->block[slot], &thread->expect[slot], verify);
        void *p = bench_alloc(VM_BYTES);
        bench_escape(p);
        touch(p, 0, VM_BYTES / 4, PAGE_BYTES);
        touch(p, VM_BYTES / 4, VM_BYTES, 8 * PAGE_BYTES);
        keep(thread, slot, p, VM_BYTES, verify);
    }
    pattern_slots_free(thread, VM_SEGMENTS, verify);
}

/* Random replacement in MIXED_SLOTS slots with the sizes of `mix`; every page of a block is touched. */
HAK_ALWAYS_INLINE void mixed(struct workload_thread *thread, uint64_t operations, const bool verify) {
    pattern_slots_clear(thread, MIXED_SLOTS);
    for (uint64_t i = 0; i < operations; i++) {
        unsigned slot = (unsigned)workload_random(thread) % MIXED_SLOTS;
        size_t size = thread->size[i % WORKLOAD_SIZES];
        pattern_free(thread->block[slot], &thread->expect[slot], verify);
        void *p = bench_alloc(size);
        bench_escape(p);
        touch(p, 0, size, PAGE_BYTES);
        keep(thread, slot, p, size, verify);
    }
    pattern_slots_free(thread, MIXED_SLOTS, verify);
}

void mixed_prepare(struct workload_thread *thread) {
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

void json_run(struct workload_thread *thread, uint64_t operations) { json(thread, operations, false); }
void json_run_verified(struct workload_thread *thread, uint64_t operations) { json(thread, operations, true); }

void mir_run(struct workload_thread *thread, uint64_t operations) { mir(thread, operations, false); }
void mir_run_verified(struct workload_thread *thread, uint64_t operations) { mir(thread, operations, true); }

void vm_run(struct workload_thread *thread, uint64_t operations) { vm(thread, operations, false); }
void vm_run_verified(struct workload_thread *thread, uint64_t operations) { vm(thread, operations, true); }

void mixed_run(struct workload_thread *thread, uint64_t operations) { mixed(thread, operations, false); }
void mixed_run_verified(struct workload_thread *thread, uint64_t operations) { mixed(thread, operations, true); }
