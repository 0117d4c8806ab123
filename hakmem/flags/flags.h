/* SPDX-License-Identifier: MIT */
/* The build switches as values.
 *
 * BUILD defines each name as 0 or 1 from the Bazel flag of the same number, for the library and for all that includes
 * its headers. hakmem/ladder/ tests them with a plain `if`, so that both sides always compile; the rest of the
 * allocator asks hakmem/ladder/. */
#ifndef HAKMEM_FLAGS_FLAGS_H
#define HAKMEM_FLAGS_FLAGS_H

#include "hakmem/flags/debug.h"
#include "hakmem/flags/guard.h"

#if !defined(HAK_P0_CLASS_TABLE) || !defined(HAK_P1_BATCHED_STATS) || !defined(HAK_P2_INLINE_FAST_PATH) || \
    !defined(HAK_P3_SENTINELS)
#error "depend on //hakmem/flags: it defines HAK_P0_CLASS_TABLE .. HAK_P3_SENTINELS as 0 or 1"
#endif

#ifdef HAK_UNSWITCHED
/* This file is compiled once for all combinations, see tools/bazel/unswitched.bzl. These are defined nowhere: where code
 * asks a switch its program does not link. */
extern const int hak_unswitched_code_asks_p0, hak_unswitched_code_asks_p1;
extern const int hak_unswitched_code_asks_p2, hak_unswitched_code_asks_p3;
#elif (HAK_P0_CLASS_TABLE | HAK_P1_BATCHED_STATS | HAK_P2_INLINE_FAST_PATH | HAK_P3_SENTINELS) & ~1
#error "a switch of hakmem is 0 or 1"
#endif

/* The experiments: each is 0 in what ships, and BUILD defines those that are something else. */
#ifdef HAK_UNSWITCHED
extern const int hak_unswitched_code_asks_magazine, hak_unswitched_code_asks_counts;
extern const int hak_unswitched_code_asks_drain, hak_unswitched_code_asks_promote;
extern const int hak_unswitched_code_asks_capacity, hak_unswitched_code_asks_learn;
#define HAK_INLINE_HOT 0 /* there is no fast path in these files, which `inline` could change */
#define HAK_MAGAZINE_HALF hak_unswitched_code_asks_magazine
#define HAK_COUNTS_EVERY hak_unswitched_code_asks_counts
#define HAK_DRAIN_OPPORTUNISTIC hak_unswitched_code_asks_drain
#define HAK_PROMOTE_AT_ONCE hak_unswitched_code_asks_promote
#define HAK_CAPACITY hak_unswitched_code_asks_capacity
#define HAK_LEARN hak_unswitched_code_asks_learn
#else
#ifndef HAK_INLINE_HOT
#define HAK_INLINE_HOT 0
#endif
#ifndef HAK_MAGAZINE_HALF
#define HAK_MAGAZINE_HALF 0
#endif
#ifndef HAK_COUNTS_EVERY
#define HAK_COUNTS_EVERY 0
#endif
#ifndef HAK_DRAIN_OPPORTUNISTIC
#define HAK_DRAIN_OPPORTUNISTIC 0
#endif
#ifndef HAK_PROMOTE_AT_ONCE
#define HAK_PROMOTE_AT_ONCE 0
#endif
#ifndef HAK_CAPACITY
#define HAK_CAPACITY 0 /* 1: fixed, 2: by site */
#endif
#ifndef HAK_LEARN
#define HAK_LEARN 0
#endif
#endif

#endif
