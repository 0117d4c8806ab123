/* SPDX-License-Identifier: MIT */
/* What the tests of os.h share: sizes, and mappings that they cannot do without. */
#ifndef TESTS_UNIT_OS_MAPPING_H
#define TESTS_UNIT_OS_MAPPING_H

#include <stdlib.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define SEED 1

static inline bool is_aligned(const void *p, size_t alignment) { return ((uintptr_t)p & (alignment - 1)) == 0; }

static inline unsigned char *map(size_t size, size_t alignment) {
    void *start = NULL;
    HAK_EXPECT_EQ(hak_os_map(size, alignment, &start), 0);
    if (start == NULL) abort();
    return start;
}

static inline struct os_counters counters(void) {
    struct os_counters now;
    hak_os_counters_get(&now);
    return now;
}

#endif
