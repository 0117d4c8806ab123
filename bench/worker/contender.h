/* SPDX-License-Identifier: MIT */
/* The allocator that a worker measures: its calls, and what it says about itself.
 *
 * BUILD compiles the same workload sources once for each contender and picks it by BENCH_CONTENDER. All but the
 * last are called by their own names, so that no other allocator of the process can answer for them:
 *
 *   BENCH_HAKMEM_SHARED   hak_alloc, hak_free through the procedure linkage table of a shared object
 *   BENCH_HAKMEM_STATIC   hakmem linked in; with P2 on its fast paths are inlined into the workloads
 *   BENCH_MIMALLOC        mi_malloc, mi_free through the procedure linkage table of libmimalloc.so
 *   BENCH_GLIBC           malloc, free through the procedure linkage table of libc.so
 *   BENCH_MALLOC          the same names, whoever answers them: the library of LD_PRELOAD, else libc.so
 *
 * bench_realloc's new size is never 0; bench_aligned's size is a multiple of the alignment. Used by the workloads,
 * the probes and the worker. */
#ifndef BENCH_WORKER_CONTENDER_H
#define BENCH_WORKER_CONTENDER_H

#include "hakmem/base/compiler.h"

#define BENCH_HAKMEM_SHARED 1
#define BENCH_HAKMEM_STATIC 2
#define BENCH_MIMALLOC 3
#define BENCH_GLIBC 4
#define BENCH_MALLOC 5

#if BENCH_CONTENDER == BENCH_HAKMEM_SHARED

#include "hakmem/hakmem.h"
#define BENCH_NAME "hakmem"
#define BENCH_LINK "shared"
HAK_ALWAYS_INLINE void *bench_alloc(size_t size) { return hak_alloc(size); }
HAK_ALWAYS_INLINE void bench_free(void *p) { hak_free(p); }
HAK_ALWAYS_INLINE void *bench_calloc(size_t count, size_t size) { return hak_calloc(count, size); }
HAK_ALWAYS_INLINE void *bench_realloc(void *p, size_t size) { return hak_realloc(p, size); }
HAK_ALWAYS_INLINE void *bench_aligned(size_t alignment, size_t size) { return hak_aligned_alloc(alignment, size); }

#elif BENCH_CONTENDER == BENCH_HAKMEM_STATIC

#include "hakmem/front/front_fast.h"
#include "hakmem/hakmem.h"
#define BENCH_NAME "hakmem"
#define BENCH_LINK (HAK_P2_INLINE_FAST_PATH ? "inlined" : "static")
HAK_ALWAYS_INLINE void *bench_alloc(size_t size) { return hak_alloc_inline(size); }
HAK_ALWAYS_INLINE void bench_free(void *p) { hak_free_inline(p); }
HAK_ALWAYS_INLINE void *bench_calloc(size_t count, size_t size) { return hak_calloc(count, size); }
HAK_ALWAYS_INLINE void *bench_realloc(void *p, size_t size) { return hak_realloc(p, size); }
HAK_ALWAYS_INLINE void *bench_aligned(size_t alignment, size_t size) { return hak_aligned_alloc(alignment, size); }

#elif BENCH_CONTENDER == BENCH_MIMALLOC

#include <mimalloc.h>
#define BENCH_NAME "mimalloc"
#define BENCH_LINK "shared"
HAK_ALWAYS_INLINE void *bench_alloc(size_t size) { return mi_malloc(size); }
HAK_ALWAYS_INLINE void bench_free(void *p) { mi_free(p); }
HAK_ALWAYS_INLINE void *bench_calloc(size_t count, size_t size) { return mi_calloc(count, size); }
HAK_ALWAYS_INLINE void *bench_realloc(void *p, size_t size) { return mi_realloc(p, size); }
HAK_ALWAYS_INLINE void *bench_aligned(size_t alignment, size_t size) { return mi_malloc_aligned(size, alignment); }

#elif BENCH_CONTENDER == BENCH_GLIBC || BENCH_CONTENDER == BENCH_MALLOC

#include <stdlib.h>
#if BENCH_CONTENDER == BENCH_GLIBC
#define BENCH_NAME "glibc"
#define BENCH_LINK "shared"
#else
#define BENCH_NAME "malloc"
#define BENCH_LINK "preload"
#endif
HAK_ALWAYS_INLINE void *bench_alloc(size_t size) { return malloc(size); }
HAK_ALWAYS_INLINE void bench_free(void *p) { free(p); }
HAK_ALWAYS_INLINE void *bench_calloc(size_t count, size_t size) { return calloc(count, size); }
HAK_ALWAYS_INLINE void *bench_realloc(void *p, size_t size) { return realloc(p, size); }
HAK_ALWAYS_INLINE void *bench_aligned(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }

#else
#error "BENCH_CONTENDER must name one of the contenders above"
#endif

/* The block escapes and all memory may have changed: no compiler drops, merges or reorders the calls. */
HAK_ALWAYS_INLINE void bench_escape(void *p) { __asm__ volatile("" ::"r"(p) : "memory"); }

/* Every block of 16 bytes or more is aligned to this. libc's names promise what any type needs; hakmem.h leaves 8 to
 * the spacing `fine`. */
#if BENCH_CONTENDER == BENCH_HAKMEM_SHARED || BENCH_CONTENDER == BENCH_HAKMEM_STATIC
#define BENCH_ALIGNMENT 8
#else
#define BENCH_ALIGNMENT 16
#endif

/* The allocator's version, "MAJOR.MINOR" or longer; "unknown" where a preloaded library does not tell. Looks symbols
 * up: for after the measured part. */
const char *contender_version(void);

/* hak_config_string() of hakmem; NULL for the others, which have no switches. Likewise. */
const char *contender_config(void);

/* Path of the object that answers bench_alloc: a shared object, or the program itself; NULL where the loader does not
 * know. */
const char *contender_object(void);

/* NULL where bench_alloc is served by the allocator that BENCH_NAME names; else a sentence that says what is
 * wrong, so that a preloaded or missing library is an error and never a row under a wrong name. */
const char *contender_defect(void);

/* false where times mean nothing: built without optimisation, with assertions or with a sanitizer. */
bool contender_is_comparable(void);

#endif
