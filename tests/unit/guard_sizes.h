/* SPDX-License-Identifier: MIT */
/* Sizes that the tests of guard full go through. */
#ifndef TESTS_UNIT_GUARD_SIZES_H
#define TESTS_UNIT_GUARD_SIZES_H

#include <stddef.h>

/* Each pool, at both ends of classes. */
static const size_t sizes[] = {1,    8,     24,    25,     100,    1016,   1017,    1024,
                               5000, 32760, 40000, 130000, 200000, 600000, 1048568, 3000000};

#define SIZE_COUNT (sizeof sizes / sizeof *sizes)

#endif
