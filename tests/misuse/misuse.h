/* SPDX-License-Identifier: MIT */
/* What the misuse programs share. Each does one thing wrong, after printing the pointer that it does it to:
 * the driver holds the report against that line, and nothing else may be on standard output. */
#ifndef TESTS_MISUSE_MISUSE_H
#define TESTS_MISUSE_MISUSE_H

#include <stdio.h>
#include <stdlib.h>

#include "hakmem/hakmem.h"

/* The size that the driver chose: one for each pool. */
static inline size_t misuse_size(char **argv) { return argv[1] != NULL ? strtoul(argv[1], NULL, 10) : 100; }

/* p, announced on standard output. */
static inline void *misuse_of(void *p) {
    printf("%p\n", p);
    fflush(stdout);
    return p;
}

#endif
