/* SPDX-License-Identifier: MIT */
/* The replay's loop. Compiled without builtins: each call is made, by libc's name, through the linkage table.
 *
 * It is compiled once a mode, so that a run for time holds no trace of the others. A call's cost includes the loop's
 * own: reading 16 bytes of schedule, a slot, and what touch.h does; that of --latency does not. */
#include "bench/trace/run.h"

#include "bench/trace/storage.h"
#include "bench/worker/contender.h"
#include "bench/worker/fail.h"
#include "bench/worker/memory.h"
#include "bench/worker/verify.h"
#include "hakmem/base/atomic.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Looks at a slot before the processor is given to another thread, which may be the one that is waited for. */
#define SPINS 64

struct thread {
    uint32_t lane;
    pthread_t handle;
};

/* One replay a process. Constant while threads run, but for the slots. */
static struct schedule *schedule;
static enum touch touch;
static enum workload_mode run_mode;
static struct thread *threads;         /* by lane; the first lane's thread alone uses them */
static struct latency_pair *latencies; /* by lane, --latency only; each its own thread's */

static HAK_COLD _Noreturn void fail(const char *what, uint64_t size) {
    char text[100];
    const int error = errno;
    snprintf(text, sizeof text, "%s(%" PRIu64 ")", what, size);
    worker_fail(text, error);
}

/* The pointer that another thread publishes in a shared slot. */
static void *await(void **slot) {
    for (unsigned spins = 0;; spins++) {
        void *p = hak_load_acquire(slot); /* acquire: the block's content, and the allocator's view of it */
        if (HAK_LIKELY(p != NULL)) {
            return p;
        }
        if (spins >= SPINS) {
            sched_yield();
        }
    }
}

HAK_ALWAYS_INLINE void *get(const struct schedule_lane *lane, uint32_t slot, bool shared) {
    return HAK_UNLIKELY(shared) ? await(&schedule->shared[slot]) : lane->slots[slot];
}

HAK_ALWAYS_INLINE void put(const struct schedule_lane *lane, const struct schedule_call *call, void *p) {
    if (HAK_UNLIKELY(call->shared)) {
        hak_store_release(&schedule->shared[call->slot], p); /* release: what was written into the block */
    } else {
        lane->slots[call->slot] = p;
    }
}

/* Names a block while it lives. */
static uint64_t key_of(const struct schedule_lane *lane, uint32_t slot, bool shared) {
    const uint64_t index = shared ? 0 : (uint64_t)(lane - schedule->lanes);
    return (index << 33 | (uint64_t)slot << 1 | shared) * UINT64_C(0x9e3779b97f4a7c15);
}

/* A new block: from `from` on it is fresh. */
HAK_ALWAYS_INLINE void finish(const struct schedule_lane *lane, const struct schedule_call *call, void *p,
                              uint64_t from, uint64_t size, const enum workload_mode mode) {
    if (HAK_UNLIKELY(p == NULL)) {
        fail("no memory for a block", size);
    }
    if (mode == WORKLOAD_VERIFIED) {
        verify_alignment(p, size, (size_t)1 << call->alignment_log2);
        verify_write(p, size, key_of(lane, call->slot, call->shared));
    } else {
        touch_made(p, from, size, touch);
    }
    if (mode == WORKLOAD_MEMORY) {
        memory_changed((int64_t)(size - from)); /* before another thread can free it */
    }
    put(lane, call, p);
}

HAK_ALWAYS_INLINE struct latency_pair *latency_of(const struct schedule_lane *lane) {
    return &latencies[lane - schedule->lanes];
}

HAK_ALWAYS_INLINE void make_free(const struct schedule_lane *lane, const struct schedule_call *call,
                                 const enum workload_mode mode) {
    void *p = get(lane, call->slot, call->shared);
    if (mode == WORKLOAD_VERIFIED) {
        verify_read(p, call->size, call->size, key_of(lane, call->slot, call->shared), VERIFY_CHANGED);
    } else {
        touch_freed(p, call->size, touch);
    }
    if (mode == WORKLOAD_MEMORY) {
        memory_changed(-(int64_t)call->size);
    }
    uint64_t start = latency_begin(mode == WORKLOAD_LATENCY);
    free(p);
    latency_end(mode == WORKLOAD_LATENCY, &latency_of(lane)->free, start);
}

/* `call` and the CALL_OLD behind it. */
HAK_ALWAYS_INLINE void make_realloc(const struct schedule_lane *lane, const struct schedule_call *call,
                                    const enum workload_mode mode) {
    uint64_t old_size = call[1].size, size = call->size;
    void *old = call->other == SCHEDULE_NO_SLOT ? NULL : get(lane, call->other, call->old_shared);
    uint64_t key = mode == WORKLOAD_VERIFIED ? key_of(lane, call->other, call->old_shared) : 0;
    if (mode == WORKLOAD_VERIFIED && old != NULL) {
        verify_read(old, old_size, old_size, key, VERIFY_CHANGED);
    }
    uint64_t start = latency_begin(mode == WORKLOAD_LATENCY);
    void *p = call->kind == CALL_REALLOC ? realloc(old, size) : reallocarray(old, size, 1);
    latency_end(mode == WORKLOAD_LATENCY, &latency_of(lane)->alloc, start);
    if (mode == WORKLOAD_VERIFIED && old != NULL && p != NULL) {
        verify_read(p, old_size < size ? old_size : size, old_size, key, "realloc changed a byte of it");
    }
    finish(lane, call, p, old_size, size, mode);
}

HAK_ALWAYS_INLINE void *make_aligned(const struct schedule_call *call) {
    size_t alignment = (size_t)1 << call->alignment_log2;
    switch ((enum schedule_kind)call->kind) {
    case CALL_MEMALIGN: return memalign(alignment, call->size);
    case CALL_ALIGNED_ALLOC: return aligned_alloc(alignment, call->size);
    case CALL_VALLOC: return valloc(call->size);
    case CALL_PVALLOC: return pvalloc(call->size);
    default: break;
    }
    void *p = NULL;
    errno = posix_memalign(&p, alignment, call->size);
    return errno == 0 ? p : NULL;
}

/* malloc, or an aligned call. */
HAK_ALWAYS_INLINE void make_block(const struct schedule_lane *lane, const struct schedule_call *call,
                                  const bool is_malloc, const enum workload_mode mode) {
    uint64_t start = latency_begin(mode == WORKLOAD_LATENCY);
    void *p = is_malloc ? malloc(call->size) : make_aligned(call);
    latency_end(mode == WORKLOAD_LATENCY, &latency_of(lane)->alloc, start);
    finish(lane, call, p, 0, call->size, mode);
}

HAK_ALWAYS_INLINE void make_calloc(const struct schedule_lane *lane, const struct schedule_call *call,
                                   const enum workload_mode mode) {
    uint64_t start = latency_begin(mode == WORKLOAD_LATENCY);
    void *p = calloc(call->other, call->size);
    latency_end(mode == WORKLOAD_LATENCY, &latency_of(lane)->alloc, start);
    uint64_t bytes = call->other * call->size;
    if (mode == WORKLOAD_VERIFIED) {
        verify_zero(p, bytes);
    }
    finish(lane, call, p, 0, bytes, mode);
}

static void *run_thread(void *argument);

static void start_thread(uint32_t lane) {
    struct thread *thread = &threads[lane];
    thread->lane = lane;
    errno = pthread_create(&thread->handle, NULL, run_thread, thread);
    if (errno != 0) {
        fail("no further thread can be started", lane);
    }
}

static void join_thread(uint32_t lane) {
    pthread_join(threads[lane].handle, NULL);
    threads[lane].lane = 0; /* the first lane is nobody's that is waited for */
}

HAK_ALWAYS_INLINE void make_calls(const struct schedule_lane *lane, const enum workload_mode mode) {
    for (const struct schedule_call *call = lane->calls, *end = call + lane->count; call < end; call++) {
        switch ((enum schedule_kind)call->kind) {
        case CALL_MALLOC: make_block(lane, call, true, mode); break;
        case CALL_FREE: make_free(lane, call, mode); break;
        case CALL_CALLOC: make_calloc(lane, call, mode); break;
        case CALL_REALLOC:
        case CALL_REALLOCARRAY: make_realloc(lane, call, mode); break;
        case CALL_OLD: break; /* told what the call before it took */
        case CALL_FREE_NULL: free(NULL); break;
        case CALL_SPAWN: start_thread(call->slot); break;
        case CALL_JOIN: join_thread(call->slot); break;
        default: make_block(lane, call, false, mode); break;
        }
    }
}

static void run_lane(uint32_t index) {
    const struct schedule_lane *lane = &schedule->lanes[index];
    switch (run_mode) {
    case WORKLOAD_VERIFIED: make_calls(lane, WORKLOAD_VERIFIED); break;
    case WORKLOAD_MEMORY: make_calls(lane, WORKLOAD_MEMORY); break;
    case WORKLOAD_LATENCY: make_calls(lane, WORKLOAD_LATENCY); break;
    default: make_calls(lane, WORKLOAD_PLAIN); break;
    }
}

static void *run_thread(void *argument) {
    run_lane(((const struct thread *)argument)->lane);
    return NULL;
}

void run_prepare(struct schedule *the_schedule, enum touch the_touch, enum workload_mode mode) {
    schedule = the_schedule;
    touch = the_touch;
    run_mode = mode;
    threads = storage_new(schedule->lane_count * sizeof threads[0], "the threads");
    if (mode == WORKLOAD_LATENCY) {
        latencies = storage_new(schedule->lane_count * sizeof latencies[0], "the durations");
    }
}

void run_schedule(void) {
    run_lane(0);
    for (uint32_t lane = 1; lane < schedule->lane_count; lane++) {
        if (threads[lane].lane != 0) {
            join_thread(lane);
        }
    }
}

void run_free_left(void) {
    for (size_t i = 0; i < schedule->left_count; i++) {
        const struct schedule_left *left = &schedule->left[i];
        const struct schedule_lane *lane = &schedule->lanes[left->lane];
        void *p = lane->slots[left->slot];
        if (run_mode == WORKLOAD_VERIFIED) {
            verify_read(p, left->size, left->size, key_of(lane, left->slot, false), VERIFY_CHANGED);
        }
        free(p);
    }
    schedule->left_count = 0;
}

void run_latency(struct latency_pair *sum) {
    for (size_t i = 0; latencies != NULL && i < schedule->lane_count; i++) {
        latency_merge(&sum->alloc, &latencies[i].alloc);
        latency_merge(&sum->free, &latencies[i].free);
    }
}

const char *run_defect(const struct schedule *the_schedule) {
    static const struct {
        enum schedule_kind kind;
        const void *function;
        const char *defect;
    } calls[] = {
        {CALL_MEMALIGN, (const void *)memalign, "the trace calls memalign, which this allocator does not have"},
        {CALL_POSIX_MEMALIGN, (const void *)posix_memalign,
         "the trace calls posix_memalign, which this allocator does not have"},
        {CALL_VALLOC, (const void *)valloc, "the trace calls valloc, which this allocator does not have"},
        {CALL_PVALLOC, (const void *)pvalloc, "the trace calls pvalloc, which this allocator does not have"},
    };
    const char *allocator = contender_object();
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        Dl_info info;
        bool is_called = (the_schedule->used & 1u << calls[i].kind) != 0;
        if (is_called && (dladdr(calls[i].function, &info) == 0 || strcmp(info.dli_fname, allocator) != 0)) {
            return calls[i].defect;
        }
    }
    return NULL;
}
