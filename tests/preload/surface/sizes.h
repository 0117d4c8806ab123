/* SPDX-License-Identifier: MIT */
/* Sizes of every kind of block: tiny, L2, L2.5 and huge, with the ends of each. */
#ifndef TESTS_PRELOAD_SURFACE_SIZES_H
#define TESTS_PRELOAD_SURFACE_SIZES_H

#include <stddef.h>

static const size_t sizes[] = {
    0,    1,     8,     15,    16,    17,    24,     100,    500,     1023,    1024,    1025,     3000,
    4096, 10000, 32767, 32768, 32769, 65536, 100000, 500000, 1048576, 1048577, 3000000, 20000000,
};

enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

#endif
