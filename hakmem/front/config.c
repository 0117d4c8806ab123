/* SPDX-License-Identifier: MIT */
/* What was built: hak_config_string and its sisters. */
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/size_class/size_class.h"

/* One text a combination, indexed by the switches as bits. */
static const char *const config_strings[16] = {
    "none", "p0",    "p1",    "p0+p1",    "p2",    "p0+p2",    "p1+p2",    "p0+p1+p2",
    "p3",   "p0+p3", "p1+p3", "p0+p1+p3", "p2+p3", "p0+p2+p3", "p1+p2+p3", "p0+p1+p2+p3",
};

const char *hak_config_string(void) {
    return config_strings[HAK_P0_CLASS_TABLE | HAK_P1_BATCHED_STATS << 1 | HAK_P2_INLINE_FAST_PATH << 2 |
                          HAK_P3_SENTINELS << 3];
}

const char *hak_classes_string(void) { return HAK_CLASSES_NAME; }

unsigned hak_table_granularity(void) { return HAK_TABLE_GRANULARITY; }

/* BUILD defines HAK_VERSION from tools/dist/version.bzl. */
const char *hak_version(void) { return HAK_VERSION; }
