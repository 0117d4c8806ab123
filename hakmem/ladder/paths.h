/* SPDX-License-Identifier: MIT */
/* Which functions hold what, without switch P2: malloc and free are one function each, which holds the fast path and
 * the slow path, and nothing is inlined into callers. In the product callers inline the fast path, and the slow path is
 * a cold function.
 *
 * Also the experiment `inline=hot`. Used by every file that has a part of the fast path. */
#ifndef HAKMEM_LADDER_PATHS_H
#define HAKMEM_LADDER_PATHS_H

#include "hakmem/base/compiler.h"
#include "hakmem/flags/flags.h"

/* Whether a function that holds a fast path calls the slow path, and callers inline the fast path. Always in the
 * product. */
HAK_ALWAYS_INLINE bool ladder_splits_paths(void) { return HAK_P2_INLINE_FAST_PATH; }

/* The fast path's functions: always inlined in the product. With `inline=hot` the compiler decides at each call. */
#if HAK_INLINE_HOT
#define HAK_FAST_PATH static inline __attribute__((hot))
#else
#define HAK_FAST_PATH HAK_ALWAYS_INLINE
#endif

/* The functions of the pools above tiny, which only hak_alloc's slow path calls: inlined there in the product. */
#ifdef HAK_UNSWITCHED
#define LADDER_POOL_ENTRY \
    static HAK_NOINLINE __attribute__((unused, error("unswitched code enters a pool, which switch P2 changes")))
#elif HAK_P2_INLINE_FAST_PATH
#define LADDER_POOL_ENTRY HAK_FAST_PATH
#else
#define LADDER_POOL_ENTRY static HAK_NOINLINE __attribute__((unused))
#endif

#endif
