/* SPDX-License-Identifier: MIT */
/* A block from its allocation to its free, in each mode. Every workload's loop stands on these.
 *
 *   plain      block_request, block_release: the allocator's call and nothing else
 *   bare       block_bare, block_bare_free: the workload does not write into the block, so that the clock sees the
 *              allocator's work alone; --verify marks it all the same
 *   tagged     block_tagged, block_tagged_free: the program writes the block's first word and reads it again before
 *              the free, as programs do. What is read must sum up to what was written (runner.c): a block that was
 *              given out twice or lost its content shows in every run, not only with --verify
 *
 * `mode` is a constant at each use in a timed loop. Blocks of tagged workloads have at least 8 bytes. A block's
 * `expect` is written and read with --verify and --memory only. A workload that writes into a bare block does so before
 * block_bare_keep, or leaves what it found. */
#ifndef BENCH_WORKER_WORKLOADS_BLOCK_H
#define BENCH_WORKER_WORKLOADS_BLOCK_H

#include "bench/worker/contender.h"
#include "bench/worker/latency.h"
#include "bench/worker/memory.h"
#include "bench/worker/workloads/workload.h"

/* Base page of x86-64 and of most arm64 systems. */
#define BLOCK_PAGE_BYTES 4096

enum block_call { BLOCK_MALLOC, BLOCK_CALLOC, BLOCK_ALIGNED };

/* `prepare` is not timed: there --latency is as good as a plain run. */
HAK_ALWAYS_INLINE enum workload_mode block_untimed_mode(const struct workload_thread *thread) {
    return thread->mode == WORKLOAD_LATENCY ? WORKLOAD_PLAIN : thread->mode;
}

/* Writes to every page of the block from byte `from` on; no byte changes. */
HAK_ALWAYS_INLINE void block_touch_all(void *p, size_t from, size_t size) {
    for (size_t i = from; i < size; i += BLOCK_PAGE_BYTES) {
        volatile unsigned char *byte = (unsigned char *)p + i;
        *byte = *byte;
    }
}

/* Every call's answer is looked at, in every mode: a library that has nothing to give does no work, and its time would
 * look like a fast one's. One branch that is never taken, the same for all contenders; it gets no arguments, which would have to be
 * kept over the call. */
HAK_COLD _Noreturn void block_missing(void);

HAK_ALWAYS_INLINE void block_require(const void *p) {
    if (HAK_UNLIKELY(p == NULL)) {
        block_missing();
    }
}

HAK_ALWAYS_INLINE void *block_request(struct workload_thread *thread, const enum block_call call, size_t alignment,
                                      size_t size, const enum workload_mode mode) {
    uint64_t start = latency_begin(mode == WORKLOAD_LATENCY);
    void *p = call == BLOCK_CALLOC    ? bench_calloc(1, size)
              : call == BLOCK_ALIGNED ? bench_aligned(alignment, size)
                                      : bench_alloc(size);
    latency_end(mode == WORKLOAD_LATENCY, &thread->latency->alloc, start);
    block_require(p);
    bench_escape(p);
    return p;
}

/* --latency counts it as an allocation. */
HAK_ALWAYS_INLINE void *block_resize(struct workload_thread *thread, void *p, size_t size,
                                     const enum workload_mode mode) {
    uint64_t start = latency_begin(mode == WORKLOAD_LATENCY);
    p = bench_realloc(p, size);
    latency_end(mode == WORKLOAD_LATENCY, &thread->latency->alloc, start);
    block_require(p);
    bench_escape(p);
    return p;
}

/* p may be NULL, which is no call worth timing. */
HAK_ALWAYS_INLINE void block_release(struct workload_thread *thread, void *p, const enum workload_mode mode) {
    const bool timed = mode == WORKLOAD_LATENCY && p != NULL;
    uint64_t start = latency_begin(timed);
    bench_free(p);
    latency_end(timed, &thread->latency->free, start);
}

/* The block p of `size` bytes is live from now on: what --verify and --memory want to know. The caller counts it. */
HAK_ALWAYS_INLINE void block_bare_keep(struct workload_thread *thread, void *p, size_t size,
                                       struct verify_expect *expect, const enum workload_mode mode) {
    if (mode == WORKLOAD_VERIFIED) {
        verify_mark(p, size, (uint32_t)thread->number++, expect);
    } else if (mode == WORKLOAD_MEMORY) {
        block_touch_all(p, 0, size);
        expect->size = (uint32_t)size;
        memory_changed((int64_t)size);
    }
}

HAK_ALWAYS_INLINE void *block_bare(struct workload_thread *thread, size_t size, struct verify_expect *expect,
                                   const enum workload_mode mode) {
    void *p = block_request(thread, BLOCK_MALLOC, 0, size, mode);
    block_bare_keep(thread, p, size, expect, mode);
    return p;
}

/* p may be NULL: every contender's free allows it. */
HAK_ALWAYS_INLINE void block_bare_free(struct workload_thread *thread, void *p, struct verify_expect *expect,
                                       const enum workload_mode mode) {
    if (mode == WORKLOAD_VERIFIED && p != NULL) {
        verify_check(p, expect);
    } else if (mode == WORKLOAD_MEMORY && p != NULL) {
        memory_changed(-(int64_t)expect->size);
    }
    block_release(thread, p, mode);
}

/* As block_bare_keep, with the tag in the block's first word. */
HAK_ALWAYS_INLINE void block_tagged_keep(struct workload_thread *thread, void *p, size_t size, uint32_t tag,
                                         struct verify_expect *expect, const enum workload_mode mode) {
    thread->tally.allocated++;
    thread->tally.written += tag;
    if (mode == WORKLOAD_VERIFIED) {
        verify_mark(p, size, tag, expect);
        return;
    }
    if (mode == WORKLOAD_MEMORY) {
        block_touch_all(p, 0, size);
        expect->size = (uint32_t)size;
        memory_changed((int64_t)size);
    }
    *(uint64_t *)p = tag;
}

HAK_ALWAYS_INLINE void *block_tagged(struct workload_thread *thread, size_t size, uint32_t tag,
                                     struct verify_expect *expect, const enum workload_mode mode) {
    void *p = block_request(thread, BLOCK_MALLOC, 0, size, mode);
    block_tagged_keep(thread, p, size, tag, expect, mode);
    return p;
}

/* The end of the block's life up to the free itself, or to the realloc that ends it. */
HAK_ALWAYS_INLINE void block_tagged_check(struct workload_thread *thread, const void *p, struct verify_expect *expect,
                                          const enum workload_mode mode) {
    thread->tally.freed++;
    if (mode == WORKLOAD_VERIFIED) {
        verify_check(p, expect);
        thread->tally.read += expect->tag;
        return;
    }
    if (mode == WORKLOAD_MEMORY) {
        memory_changed(-(int64_t)expect->size);
    }
    thread->tally.read += *(const uint64_t *)p;
}

HAK_ALWAYS_INLINE void block_tagged_free(struct workload_thread *thread, void *p, struct verify_expect *expect,
                                         const enum workload_mode mode) {
    block_tagged_check(thread, p, expect, mode);
    block_release(thread, p, mode);
}

#endif
