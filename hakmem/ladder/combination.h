/* SPDX-License-Identifier: MIT */
/* Which of the sixteen combinations of P0 to P3 this build is, and which experiments are flipped, for hak_config_string. */
#ifndef HAKMEM_LADDER_COMBINATION_H
#define HAKMEM_LADDER_COMBINATION_H

#include "codegen/hak_classes.h"
#include "hakmem/base/assert.h"
#include "hakmem/base/compiler.h"
#include "hakmem/flags/flags.h"

/* Text behind the switches, in the order of hakmem/flags/flags.bzl: strings of the preprocessor, since they are joined to one. */
#if HAK_TABLE_GRANULARITY == 1
#define LADDER_SAYS_TABLE ""
#elif HAK_TABLE_GRANULARITY == 8
#define LADDER_SAYS_TABLE "+table=129"
#else
#define LADDER_SAYS_TABLE "+table=65"
#endif
#if HAK_INLINE_HOT
#define LADDER_SAYS_INLINE "+inline=hot"
#else
#define LADDER_SAYS_INLINE ""
#endif
#if HAK_MAGAZINE_HALF
#define LADDER_SAYS_MAGAZINE "+magazine=half"
#else
#define LADDER_SAYS_MAGAZINE ""
#endif
#if HAK_COUNTS_EVERY
#define LADDER_SAYS_COUNTS "+counts=" HAK_STRINGIFY(HAK_COUNTS_EVERY)
#else
#define LADDER_SAYS_COUNTS ""
#endif
#if HAK_DRAIN_OPPORTUNISTIC
#define LADDER_SAYS_DRAIN "+drain=opportunistic"
#else
#define LADDER_SAYS_DRAIN ""
#endif
#if HAK_PROMOTE_AT_ONCE
#define LADDER_SAYS_PROMOTE "+promote=at_once"
#else
#define LADDER_SAYS_PROMOTE ""
#endif
#if HAK_CAPACITY == 1
#define LADDER_SAYS_CAPACITY "+capacity=fixed"
#elif HAK_CAPACITY == 2
#define LADDER_SAYS_CAPACITY "+capacity=site"
#else
#define LADDER_SAYS_CAPACITY ""
#endif
#if HAK_LEARN
#define LADDER_SAYS_LEARN "+learn=elo"
#else
#define LADDER_SAYS_LEARN ""
#endif
#define LADDER_FLIPPED                                                                                                 \
    LADDER_SAYS_TABLE LADDER_SAYS_INLINE LADDER_SAYS_MAGAZINE LADDER_SAYS_COUNTS LADDER_SAYS_DRAIN LADDER_SAYS_PROMOTE \
        LADDER_SAYS_CAPACITY LADDER_SAYS_LEARN

/* "none", "p0+p2", "p0+p1+p2+p3+learn=elo" and so on: the switches that are on, and the experiments that are flipped. */
HAK_ALWAYS_INLINE const char *ladder_combination(void) {
    static const char *const names[16] = {
        "none" LADDER_FLIPPED,  "p0" LADDER_FLIPPED,       "p1" LADDER_FLIPPED,       "p0+p1" LADDER_FLIPPED,
        "p2" LADDER_FLIPPED,    "p0+p2" LADDER_FLIPPED,    "p1+p2" LADDER_FLIPPED,    "p0+p1+p2" LADDER_FLIPPED,
        "p3" LADDER_FLIPPED,    "p0+p3" LADDER_FLIPPED,    "p1+p3" LADDER_FLIPPED,    "p0+p1+p3" LADDER_FLIPPED,
        "p2+p3" LADDER_FLIPPED, "p0+p2+p3" LADDER_FLIPPED, "p1+p2+p3" LADDER_FLIPPED, "p0+p1+p2+p3" LADDER_FLIPPED,
    };
    return names[HAK_P0_CLASS_TABLE | HAK_P1_BATCHED_STATS << 1 | HAK_P2_INLINE_FAST_PATH << 2 | HAK_P3_SENTINELS << 3];
}

#endif
