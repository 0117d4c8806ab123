/* SPDX-License-Identifier: MIT */
/* A library to be opened with RTLD_DEEPBIND: its malloc is the one of the C library that it is linked with.
 *
 * Its free is too, but what libc itself allocates (strdup, getline) comes from the preloaded malloc: such a library
 * must not free that, whatever the allocator is. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *deep_give(size_t size) { return malloc(size); }

void deep_take(void *p) { free(p); }

void *deep_malloc_address(void) { return (void *)malloc; }

int deep_works(void) {
    for (size_t size = 1; size < 3000000; size = size * 2 + 1) {
        char *p = malloc(size);
        memset(p, 1, size);
        p = realloc(p, size * 3);
        char *q = calloc(3, size);
        if (p == NULL || q == NULL || p[size - 1] != 1 || q[3 * size - 1] != 0) {
            return 0;
        }
        free(q);
        free(p);
    }
    return 1;
}
