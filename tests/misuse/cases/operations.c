/* SPDX-License-Identifier: MIT */
/* Calls that want the start of a live block. */
#include <malloc.h>
#include <stdlib.h>

#include "tests/misuse/cases/case.h"

static void operation_free(char *p, size_t size) {
    (void)size;
    free(p);
}

static void operation_realloc(char *p, size_t size) { (void)!realloc(p, 3 * size); }

static void operation_usable_size(char *p, size_t size) {
    (void)size;
    (void)!malloc_usable_size(p);
}

const struct misuse_operation misuse_operations[] = {
    {"free", operation_free},
    {"realloc", operation_realloc},
    {"malloc_usable_size", operation_usable_size},
    {NULL, NULL},
};
