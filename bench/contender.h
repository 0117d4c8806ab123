/* The allocator that a worker measures: two calls, and what it says about itself.
 *
 * BUILD compiles the same workload sources once for each contender and picks it by BENCH_CONTENDER. A
 * contender is called by its own names, so that no other allocator of the process can answer for it:
 *
 *   BENCH_HAKMEM_SHARED   hak_alloc, hak_free through the procedure linkage table of a shared object
 *   BENCH_HAKMEM_STATIC   hakmem linked in; with P2 on its fast paths are inlined into the workloads
 *   BENCH_MIMALLOC        mi_malloc, mi_free through the procedure linkage table of libmimalloc.so
 *   BENCH_GLIBC           malloc, free through the procedure linkage table of libc.so
 *
 * Used by the workloads, the probes and worker.c. */
#ifndef BENCH_CONTENDER_H
#define BENCH_CONTENDER_H

#include "hakmem/base/compiler.h"

#define BENCH_HAKMEM_SHARED 1
#define BENCH_HAKMEM_STATIC 2
#define BENCH_MIMALLOC 3
#define BENCH_GLIBC 4

#if BENCH_CONTENDER == BENCH_HAKMEM_SHARED

#include "hakmem/hakmem.h"
#define BENCH_NAME "hakmem"
#define BENCH_LINK "shared"
HAK_ALWAYS_INLINE void *bench_alloc(size_t size) { return hak_alloc(size); }
HAK_ALWAYS_INLINE void bench_free(void *p) { hak_free(p); }

#elif BENCH_CONTENDER == BENCH_HAKMEM_STATIC

#include "hakmem/front/front_fast.h"
#include "hakmem/hakmem.h"
#define BENCH_NAME "hakmem"
#define BENCH_LINK (HAK_P2_INLINE_FAST_PATH ? "inlined" : "static")
HAK_ALWAYS_INLINE void *bench_alloc(size_t size) { return hak_alloc_inline(size); }
HAK_ALWAYS_INLINE void bench_free(void *p) { hak_free_inline(p); }

#elif BENCH_CONTENDER == BENCH_MIMALLOC

#include <mimalloc.h>
#define BENCH_NAME "mimalloc"
#define BENCH_LINK "shared"
HAK_ALWAYS_INLINE void *bench_alloc(size_t size) { return mi_malloc(size); }
HAK_ALWAYS_INLINE void bench_free(void *p) { mi_free(p); }

#elif BENCH_CONTENDER == BENCH_GLIBC

#include <stdlib.h>
#define BENCH_NAME "glibc"
#define BENCH_LINK "shared"
HAK_ALWAYS_INLINE void *bench_alloc(size_t size) { return malloc(size); }
HAK_ALWAYS_INLINE void bench_free(void *p) { free(p); }

#else
#error "BENCH_CONTENDER must name one of the contenders above"
#endif

/* The block escapes and all memory may have changed: no compiler drops, merges or reorders the calls. */
HAK_ALWAYS_INLINE void bench_escape(void *p) { __asm__ volatile("" ::"r"(p) : "memory"); }

/* The allocator's version, "MAJOR.MINOR" or "MAJOR.MINOR.PATCH". */
const char *contender_version(void);

/* hak_config_string() of hakmem; NULL for the others, which have no switches. */
const char *contender_config(void);

/* NULL where bench_alloc is served by the allocator that BENCH_NAME names; else a sentence that says what is
 * wrong, so that a preloaded or missing library is an error and never a row under a wrong name. */
const char *contender_defect(void);

/* false where times mean nothing: built without optimisation, with assertions or with a sanitizer. */
bool contender_is_comparable(void);

#endif
