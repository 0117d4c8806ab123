/* SPDX-License-Identifier: MIT */
/* Which of the sixteen combinations of P0 to P3 this build is, for hak_config_string. Constant. */
#ifndef HAKMEM_LADDER_COMBINATION_H
#define HAKMEM_LADDER_COMBINATION_H

#include "hakmem/base/compiler.h"
#include "hakmem/flags/flags.h"

/* "none", "p0+p2" and so on: the switches that are on. */
HAK_ALWAYS_INLINE const char *ladder_combination(void) {
    static const char *const names[16] = {
        "none", "p0",    "p1",    "p0+p1",    "p2",    "p0+p2",    "p1+p2",    "p0+p1+p2",
        "p3",   "p0+p3", "p1+p3", "p0+p1+p3", "p2+p3", "p0+p2+p3", "p1+p2+p3", "p0+p1+p2+p3",
    };
    return names[HAK_P0_CLASS_TABLE | HAK_P1_BATCHED_STATS << 1 | HAK_P2_INLINE_FAST_PATH << 2 | HAK_P3_SENTINELS << 3];
}

#endif
