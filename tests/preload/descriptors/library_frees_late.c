/* SPDX-License-Identifier: MIT */
/* A library whose destructor frees what its constructor allocated. With FREES_TWICE in the environment it frees a small block
 * twice. */
#include <stdlib.h>

#include "tests/preload/descriptors/library_frees_late.h"

/* A size that nothing else here has: a huge block. */
#define BYTES ((size_t)3 << 20)

static void *volatile huge;
static void *volatile small;

__attribute__((constructor)) static void take(void) {
    huge = malloc(BYTES);
    small = malloc(64);
}

__attribute__((destructor)) static void give_back(void) {
    free(huge);
    free(small);
    if (getenv("FREES_TWICE") != NULL) free(small);
}

int library_has_block(void) { return huge != NULL; }
