/* SPDX-License-Identifier: MIT */
/* C++'s operators, in C. They are recorded here, not by the malloc that they call, so that a site is the caller of
 * `new`; and because the next allocator may have operators of its own, which call no malloc.
 *
 * new[] and the sized, nothrow and array forms of delete are calls of the plain forms, by the symbol: a program may
 * replace only those. Where there is no memory, the next operator decides what happens: it calls the new handler and
 * throws. Compiled with -fexceptions, since that passes through here. */
#include "bench/trace/recorder.h"
#include "bench/trace/recorder_next.h"
#include "bench/trace/recorder_wrap.h"

#include <stdlib.h>

/* const std::nothrow_t & is a pointer, std::align_val_t a size_t, in the calling convention. */
typedef const void *nothrow;

/* The next definition of an operator, which throws. A program whose C++ runtime the loader does not find from here
 * cannot be told that there is no memory. */
static void *next_operator(const char *name) {
    void *function = next_function(name);
    if (function == NULL) {
        system_say("no memory, and no C++ runtime to say so with", name, 0);
        abort();
    }
    return function;
}

static void *new_plain(size_t size, const void *caller) {
    void *p = wrap_malloc(size, caller);
    if (p == NULL) {
        void *(*next)(size_t);
        *(void **)&next = next_operator("_Znwm");
        p = next(size);
    }
    return p;
}

static void *new_aligned(size_t size, size_t alignment, const void *caller) {
    void *p = wrap_aligned_alloc(alignment, size, caller);
    if (p == NULL) {
        void *(*next)(size_t, size_t);
        *(void **)&next = next_operator("_ZnwmSt11align_val_t");
        p = next(size, alignment);
    }
    return p;
}

static void *own_new(size_t size) { return new_plain(size, RECORDER_CALLER); }

static void *own_new_aligned(size_t size, size_t alignment) { return new_aligned(size, alignment, RECORDER_CALLER); }

/* Weak aliases, so that the compiler does not take a comparison of the two names for decided. */
RECORDER_API void *_Znwm(size_t size) __attribute__((weak, alias("own_new")));
RECORDER_API void *_ZnwmSt11align_val_t(size_t size, size_t alignment) __attribute__((weak, alias("own_new_aligned")));

RECORDER_API void *_Znam(size_t size);
void *_Znam(size_t size) { return _Znwm == own_new ? new_plain(size, RECORDER_CALLER) : _Znwm(size); }

RECORDER_API void *_ZnamSt11align_val_t(size_t size, size_t alignment);
void *_ZnamSt11align_val_t(size_t size, size_t alignment) {
    return _ZnwmSt11align_val_t == own_new_aligned ? new_aligned(size, alignment, RECORDER_CALLER)
                                                   : _ZnwmSt11align_val_t(size, alignment);
}

/* The next nothrow operator catches what the program's operator throws; without one there is nobody to throw. */
static void *new_nothrow(const char *name, size_t size, nothrow tag, const void *caller) {
    void *p = _Znwm == own_new ? wrap_malloc(size, caller) : NULL;
    void *(*next)(size_t, nothrow);
    *(void **)&next = p == NULL ? next_function(name) : NULL;
    return next != NULL ? next(size, tag) : p;
}

static void *new_aligned_nothrow(const char *name, size_t size, size_t alignment, nothrow tag, const void *caller) {
    void *p = _ZnwmSt11align_val_t == own_new_aligned ? wrap_aligned_alloc(alignment, size, caller) : NULL;
    void *(*next)(size_t, size_t, nothrow);
    *(void **)&next = p == NULL ? next_function(name) : NULL;
    return next != NULL ? next(size, alignment, tag) : p;
}

#define NEW_NOTHROW(name)                              \
    RECORDER_API void *name(size_t size, nothrow tag); \
    void *name(size_t size, nothrow tag) { return new_nothrow(#name, size, tag, RECORDER_CALLER); }
#define NEW_ALIGNED_NOTHROW(name)                                                 \
    RECORDER_API void *name(size_t size, size_t alignment, nothrow tag);          \
    void *name(size_t size, size_t alignment, nothrow tag) {                      \
        return new_aligned_nothrow(#name, size, alignment, tag, RECORDER_CALLER); \
    }
NEW_NOTHROW(_ZnwmRKSt9nothrow_t)
NEW_NOTHROW(_ZnamRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)

RECORDER_API void _ZdlPv(void *p);
void _ZdlPv(void *p) { wrap_free(p); }

RECORDER_API void _ZdlPvSt11align_val_t(void *p, size_t alignment);
void _ZdlPvSt11align_val_t(void *p, size_t alignment) {
    (void)alignment;
    wrap_free(p);
}

/* The other forms of delete: what they are told of sizes, and tags, is dropped. */
#define DELETE(name, plain, type)            \
    RECORDER_API void name(void *p, type x); \
    void name(void *p, type x) {             \
        (void)x;                             \
        plain(p);                            \
    }
#define DELETE_ALIGNED(name, plain, parameters, unused) \
    RECORDER_API void name parameters;                  \
    void name parameters {                              \
        (void)unused;                                   \
        plain(p, alignment);                            \
    }

RECORDER_API void _ZdaPv(void *p);
void _ZdaPv(void *p) { _ZdlPv(p); }

RECORDER_API void _ZdaPvSt11align_val_t(void *p, size_t alignment);
void _ZdaPvSt11align_val_t(void *p, size_t alignment) { _ZdlPvSt11align_val_t(p, alignment); }

DELETE(_ZdlPvm, _ZdlPv, size_t)
DELETE(_ZdaPvm, _ZdaPv, size_t)
DELETE(_ZdlPvRKSt9nothrow_t, _ZdlPv, nothrow)
DELETE(_ZdaPvRKSt9nothrow_t, _ZdaPv, nothrow)
DELETE_ALIGNED(_ZdlPvmSt11align_val_t, _ZdlPvSt11align_val_t, (void *p, size_t size, size_t alignment), size)
DELETE_ALIGNED(_ZdaPvmSt11align_val_t, _ZdaPvSt11align_val_t, (void *p, size_t size, size_t alignment), size)
DELETE_ALIGNED(_ZdlPvSt11align_val_tRKSt9nothrow_t, _ZdlPvSt11align_val_t, (void *p, size_t alignment, nothrow tag),
               tag)
DELETE_ALIGNED(_ZdaPvSt11align_val_tRKSt9nothrow_t, _ZdaPvSt11align_val_t, (void *p, size_t alignment, nothrow tag),
               tag)
