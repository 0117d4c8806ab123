/* The build switches as values.
 *
 * BUILD defines each name as 0 or 1 from the Bazel flag of the same number, for the library and for all
 * that includes its headers. Code tests them with a plain `if`, so that both sides always compile. */
#ifndef HAKMEM_FLAGS_FLAGS_H
#define HAKMEM_FLAGS_FLAGS_H

#include "hakmem/base/compiler.h"

#if !defined(HAK_P0_CLASS_TABLE) || !defined(HAK_P1_BATCHED_STATS) || !defined(HAK_P2_INLINE_FAST_PATH) || \
    !defined(HAK_P3_SENTINELS) || !defined(HAK_DEBUG)
#error "depend on //hakmem/flags: it defines HAK_P0_CLASS_TABLE .. HAK_P3_SENTINELS and HAK_DEBUG as 0 or 1"
#endif

#if !defined(HAK_INLINE_HOT) || !defined(HAK_MAGAZINE_HALF) || (HAK_INLINE_HOT | HAK_MAGAZINE_HALF) & ~1
#error "depend on //hakmem/flags: it defines HAK_INLINE_HOT and HAK_MAGAZINE_HALF as 0 or 1"
#endif

#if !defined(HAK_GUARD) || HAK_GUARD < 0 || HAK_GUARD > 2
#error "depend on //hakmem/flags: it defines HAK_GUARD as 0, 1 or 2"
#endif

#if (HAK_P0_CLASS_TABLE | HAK_P1_BATCHED_STATS | HAK_P2_INLINE_FAST_PATH | HAK_P3_SENTINELS | HAK_DEBUG) & ~1
#error "a switch of hakmem is 0 or 1"
#endif

/* Switch `guard`: every invalid free is found by the free itself; full: and much of what is done to blocks besides. */
#define HAK_GUARD_EXACT (HAK_GUARD >= 1)
#define HAK_GUARD_FULL (HAK_GUARD == 2)

/* The fast path's functions: always inlined, or hot, which leaves it to the compiler at each call. */
#if HAK_INLINE_HOT
#define HAK_FAST_PATH static inline __attribute__((hot))
#else
#define HAK_FAST_PATH HAK_ALWAYS_INLINE
#endif

#endif
