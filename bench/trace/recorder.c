/* SPDX-License-Identifier: MIT */
/* libc's names for allocation: each forwards to the next allocator and records what happened, with the caller's
 * address.
 *
 * An allocation's event comes after the real call, a free's before it, a realloc's around it; recorder.h says why.
 * errno is the next allocator's. Calls from inside of another (a reallocarray that calls realloc) are part of that. */
#include "bench/trace/recorder.h"
#include "bench/trace/recorder_next.h"
#include "bench/trace/recorder_wrap.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* What malloc promises of any block; early blocks have no more. */
#define ALIGNMENT_EARLY 16

/* C23; no header has them yet. */
RECORDER_API void free_sized(void *p, size_t size);
RECORDER_API void free_aligned_sized(void *p, size_t alignment, size_t size);

/* The block at p was made by event `number`, 0 where that was not recorded. */
static void remember(const void *p, uint64_t number) {
    uint64_t unseen = number != 0 ? blocks_put(p, number) : 0;
    if (unseen != 0) {
        /* Too late by one event, which is no matter: until now nobody knew that the block was gone. */
        events_add(&(struct recorder_event){.kind = TRACE_FREE_UNSEEN, .has_age = true, .block = unseen});
    }
}

/* Ends a recorded call that gave p. */
static void record(void *p, enum trace_kind kind, size_t first, size_t second, unsigned numbers, const void *caller) {
    int error = errno;
    if (p != NULL) {
        remember(p, events_add(&(struct recorder_event){
                        .kind = kind,
                        .has_site = true,
                        .numbers = (uint8_t)numbers,
                        .number = {first, second},
                        .caller = caller,
                    }));
    } else {
        /* The size is the last of the numbers; calloc's is the product, or more than there is. */
        size_t size = numbers == 1 ? first : second;
        if (kind == TRACE_CALLOC && __builtin_mul_overflow(first, second, &size)) {
            size = SIZE_MAX;
        }
        events_add(&(struct recorder_event){.kind = TRACE_FAILED, .numbers = 1, .number = {size}});
    }
    recorder_leave();
    errno = error;
}

/* Rounded up, as glibc's memalign does with what is no power of two. */
static unsigned alignment_log2(size_t alignment) {
    return alignment <= 1 ? 0 : 64 - (unsigned)__builtin_clzl(alignment - 1);
}

static void *early_aligned(size_t alignment, size_t size) {
    if (alignment > ALIGNMENT_EARLY) {
        errno = ENOMEM;
        return NULL;
    }
    return next_early_block(size);
}

void *wrap_malloc(size_t size, const void *caller) {
    if (!next_find()) {
        return next_early_block(size);
    }
    bool recorded = recorder_enter();
    void *p = recorder_next.malloc(size);
    if (recorded) {
        record(p, TRACE_MALLOC, size, 0, 1, caller);
    }
    return p;
}

void *wrap_aligned_alloc(size_t alignment, size_t size, const void *caller) {
    if (!next_find()) {
        return early_aligned(alignment, size);
    }
    bool recorded = recorder_enter();
    void *p = recorder_next.aligned_alloc(alignment, size);
    if (recorded) {
        record(p, TRACE_ALIGNED_ALLOC, alignment_log2(alignment), size, 2, caller);
    }
    return p;
}

void wrap_free(void *p) {
    /* A block of the next allocator, freed by the loader while that is looked for, is given up. */
    if (next_is_early(p) || !next_find()) {
        return;
    }
    bool recorded = recorder_enter();
    if (recorded) {
        int error = errno;
        uint64_t number = p != NULL ? blocks_take(p) : 0;
        enum trace_kind kind = p == NULL ? TRACE_FREE_NULL : number == 0 ? TRACE_FREE_UNKNOWN : TRACE_FREE;
        events_add(&(struct recorder_event){.kind = kind, .has_age = kind == TRACE_FREE, .block = number});
        errno = error;
    }
    recorder_next.free(p);
    if (recorded) {
        recorder_leave();
    }
}

/* What a realloc of p, block `number`, gave. pre: its first event is recorded. */
static void record_result(void *p, uint64_t number, void *result, size_t size, const void *caller) {
    if (result != NULL) {
        remember(result, events_add(&(struct recorder_event){
                             .kind = TRACE_RESULT_BLOCK,
                             .has_site = true,
                             .numbers = 1,
                             .number = {size},
                             .caller = caller,
                         }));
    } else if (p != NULL && size == 0) {
        events_add(&(struct recorder_event){.kind = TRACE_RESULT_FREED});
    } else {
        if (number != 0) {
            blocks_put(p, number);
        }
        events_add(&(struct recorder_event){.kind = TRACE_RESULT_FAILED, .numbers = 1, .number = {size}});
    }
}

static void *forward_realloc(enum trace_kind kind, void *p, size_t count, size_t size) {
    return kind == TRACE_REALLOC ? recorder_next.realloc(p, size) : recorder_next.reallocarray(p, count, size);
}

/* TRACE_REALLOC with count 1, or TRACE_REALLOCARRAY. */
static void *wrap_realloc(enum trace_kind kind, void *p, size_t count, size_t size, const void *caller) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        bytes = SIZE_MAX; /* which no allocator has */
    }
    if (!next_find() || next_is_early(p)) {
        void *copy = wrap_malloc(bytes, caller);
        if (copy != NULL && next_is_early(p)) {
            memcpy(copy, p, next_early_size(p) < bytes ? next_early_size(p) : bytes);
        }
        return copy;
    }
    if (!recorder_enter()) {
        return forward_realloc(kind, p, count, size);
    }
    int error = errno;
    uint64_t number = p != NULL ? blocks_take(p) : 0;
    bool known = p == NULL || number != 0;
    uint64_t begun = events_add(&(struct recorder_event){
        .kind = known ? kind : TRACE_REALLOC_UNKNOWN,
        .has_age = known,
        .block = number,
    });
    errno = error;
    void *result = forward_realloc(kind, p, count, size);
    error = errno;
    if (begun != 0) {
        record_result(p, number, result, bytes, caller);
    }
    recorder_leave();
    errno = error;
    return result;
}

RECORDER_API void *malloc(size_t size) { return wrap_malloc(size, RECORDER_CALLER); }

RECORDER_API void free(void *p) { wrap_free(p); }

RECORDER_API void free_sized(void *p, size_t size) {
    (void)size;
    wrap_free(p);
}

RECORDER_API void free_aligned_sized(void *p, size_t alignment, size_t size) {
    (void)alignment;
    (void)size;
    wrap_free(p);
}

RECORDER_API void *calloc(size_t count, size_t size) {
    if (!next_find()) {
        return next_early_block(count * size); /* the loader's own counts */
    }
    bool recorded = recorder_enter();
    void *p = recorder_next.calloc(count, size);
    if (recorded) {
        record(p, TRACE_CALLOC, count, size, 2, RECORDER_CALLER);
    }
    return p;
}

RECORDER_API void *realloc(void *p, size_t size) { return wrap_realloc(TRACE_REALLOC, p, 1, size, RECORDER_CALLER); }

RECORDER_API void *reallocarray(void *p, size_t count, size_t size) {
    return wrap_realloc(TRACE_REALLOCARRAY, p, count, size, RECORDER_CALLER);
}

RECORDER_API void *aligned_alloc(size_t alignment, size_t size) {
    return wrap_aligned_alloc(alignment, size, RECORDER_CALLER);
}

RECORDER_API void *memalign(size_t alignment, size_t size) {
    if (!next_find()) {
        return early_aligned(alignment, size);
    }
    bool recorded = recorder_enter();
    void *p = recorder_next.memalign(alignment, size);
    if (recorded) {
        record(p, TRACE_MEMALIGN, alignment_log2(alignment), size, 2, RECORDER_CALLER);
    }
    return p;
}

RECORDER_API int posix_memalign(void **p, size_t alignment, size_t size) {
    if (!next_find()) {
        *p = early_aligned(alignment, size);
        return *p == NULL ? ENOMEM : 0;
    }
    bool recorded = recorder_enter();
    int status = recorder_next.posix_memalign(p, alignment, size);
    if (recorded) {
        record(status == 0 ? *p : NULL, TRACE_POSIX_MEMALIGN, alignment_log2(alignment), size, 2, RECORDER_CALLER);
    }
    return status;
}

RECORDER_API void *valloc(size_t size) {
    if (!next_find()) {
        return early_aligned(SIZE_MAX, size);
    }
    bool recorded = recorder_enter();
    void *p = recorder_next.valloc(size);
    if (recorded) {
        record(p, TRACE_VALLOC, size, 0, 1, RECORDER_CALLER);
    }
    return p;
}

RECORDER_API void *pvalloc(size_t size) {
    if (!next_find()) {
        return early_aligned(SIZE_MAX, size);
    }
    bool recorded = recorder_enter();
    void *p = recorder_next.pvalloc(size);
    if (recorded) {
        record(p, TRACE_PVALLOC, size, 0, 1, RECORDER_CALLER);
    }
    return p;
}
