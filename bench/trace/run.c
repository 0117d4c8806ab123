/* SPDX-License-Identifier: MIT */
/* The replay proper. Compiled without builtins: each call is made, by libc's name, through the linkage table.
 *
 * The loop is instantiated for what --verify and --memory add, so that a run for time holds no trace of them. A call's
 * cost therefore includes the loop's own: reading 16 bytes of schedule, a slot, and what touch.h does. */
#include "bench/trace/run.h"

#include "bench/worker/contender.h"
#include "bench/worker/measure.h"
#include "bench/trace/marks.h"
#include "bench/trace/resident.h"
#include "bench/trace/storage.h"
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
static struct run_settings settings;
static struct thread *threads; /* by lane; the first lane's thread alone uses them */

static HAK_COLD _Noreturn void fail(const char *what, uint64_t size) {
    fprintf(stderr, "replay: %s(%" PRIu64 "): %s\n", what, size, strerror(errno));
    exit(EXIT_FAILURE);
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

static uint64_t key_of(const struct schedule_lane *lane, uint32_t slot, bool shared) {
    return marks_key(shared ? 0 : (uint32_t)(lane - schedule->lanes), slot, shared);
}

/* A new block: from `from` on it is fresh. */
HAK_ALWAYS_INLINE void finish(const struct schedule_lane *lane, const struct schedule_call *call, void *p,
                              uint64_t from, uint64_t size, const bool verify, const bool memory) {
    if (HAK_UNLIKELY(p == NULL)) {
        fail("no memory for a block", size);
    }
    if (verify) {
        marks_check_alignment(p, size, (unsigned)call->alignment_log2);
        marks_write(p, size, key_of(lane, call->slot, call->shared));
    } else {
        touch_made(p, from, size, settings.touch);
    }
    put(lane, call, p);
    if (memory) {
        resident_step((int64_t)(size - from));
    }
}

HAK_ALWAYS_INLINE void make_free(const struct schedule_lane *lane, const struct schedule_call *call, const bool verify,
                                 const bool memory) {
    void *p = get(lane, call->slot, call->shared);
    if (verify) {
        marks_check(p, call->size, call->size, key_of(lane, call->slot, call->shared), "changed while it was live");
    } else {
        touch_freed(p, call->size, settings.touch);
    }
    free(p);
    if (memory) {
        resident_step(-(int64_t)call->size);
    }
}

/* `call` and the CALL_OLD behind it. */
HAK_ALWAYS_INLINE void make_realloc(const struct schedule_lane *lane, const struct schedule_call *call,
                                    const bool verify, const bool memory) {
    uint64_t old_size = call[1].size, size = call->size;
    void *old = call->other == SCHEDULE_NO_SLOT ? NULL : get(lane, call->other, call->old_shared);
    uint64_t key = verify ? key_of(lane, call->other, call->old_shared) : 0;
    if (verify && old != NULL) {
        marks_check(old, old_size, old_size, key, "changed while it was live");
    }
    void *p = call->kind == CALL_REALLOC ? realloc(old, size) : reallocarray(old, size, 1);
    if (verify && old != NULL && p != NULL) {
        marks_check(p, old_size < size ? old_size : size, old_size, key, "is not what it was before realloc");
    }
    finish(lane, call, p, old_size, size, verify, memory);
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

HAK_ALWAYS_INLINE void make_calloc(const struct schedule_lane *lane, const struct schedule_call *call,
                                   const bool verify, const bool memory) {
    void *p = calloc(call->other, call->size);
    uint64_t bytes = call->other * call->size;
    if (verify && p != NULL) {
        marks_check_zero(p, bytes);
    }
    finish(lane, call, p, 0, bytes, verify, memory);
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

HAK_ALWAYS_INLINE void make_calls(const struct schedule_lane *lane, const bool verify, const bool memory) {
    for (const struct schedule_call *call = lane->calls, *end = call + lane->count; call < end; call++) {
        switch ((enum schedule_kind)call->kind) {
        case CALL_MALLOC: finish(lane, call, malloc(call->size), 0, call->size, verify, memory); break;
        case CALL_FREE: make_free(lane, call, verify, memory); break;
        case CALL_CALLOC: make_calloc(lane, call, verify, memory); break;
        case CALL_REALLOC:
        case CALL_REALLOCARRAY: make_realloc(lane, call, verify, memory); break;
        case CALL_OLD: break; /* told what the call before it took */
        case CALL_FREE_NULL: free(NULL); break;
        case CALL_SPAWN: start_thread(call->slot); break;
        case CALL_JOIN: join_thread(call->slot); break;
        default: finish(lane, call, make_aligned(call), 0, call->size, verify, memory); break;
        }
    }
}

static void run_lane(uint32_t index) {
    const struct schedule_lane *lane = &schedule->lanes[index];
    if (settings.verify && settings.memory) {
        make_calls(lane, true, true);
    } else if (settings.verify) {
        make_calls(lane, true, false);
    } else if (settings.memory) {
        make_calls(lane, false, true);
    } else {
        make_calls(lane, false, false);
    }
}

static void *run_thread(void *argument) {
    run_lane(((const struct thread *)argument)->lane);
    return NULL;
}

uint64_t run_schedule(struct schedule *the_schedule, const struct run_settings *the_settings) {
    schedule = the_schedule;
    settings = *the_settings;
    threads = storage_new(schedule->lane_count * sizeof threads[0], "the threads");
    uint64_t start = measure_clock_ns();
    run_lane(0);
    for (uint32_t lane = 1; lane < schedule->lane_count; lane++) {
        if (threads[lane].lane != 0) {
            join_thread(lane);
        }
    }
    return measure_clock_ns() - start;
}

void run_free_left(struct schedule *the_schedule, const struct run_settings *the_settings) {
    for (size_t i = 0; i < the_schedule->left_count; i++) {
        const struct schedule_left *left = &the_schedule->left[i];
        void *p = the_schedule->lanes[left->lane].slots[left->slot];
        if (the_settings->verify) {
            marks_check(p, left->size, left->size, marks_key(left->lane, left->slot, false),
                        "changed while it was live");
        }
        free(p);
    }
    the_schedule->left_count = 0;
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
