/* SPDX-License-Identifier: MIT */
/* What was built: hak_config_string and its sisters. */
#include "hakmem/hakmem.h"
#include "hakmem/ladder/combination.h"
#include "hakmem/size_class/size_class.h"

const char *hak_config_string(void) { return ladder_combination(); }

const char *hak_classes_string(void) { return HAK_CLASSES_NAME; }

unsigned hak_table_granularity(void) { return HAK_TABLE_GRANULARITY; }

/* BUILD defines HAK_VERSION from tools/dist/version.bzl. */
const char *hak_version(void) { return HAK_VERSION; }
