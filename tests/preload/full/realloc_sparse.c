/* SPDX-License-Identifier: MIT */
/* A block of which few pages were touched grows and shrinks, and all that was written is there afterwards. */
#include <stdio.h>
#include <stdlib.h>

#define GIB ((size_t)1 << 30)

int main(void) {
    const size_t sizes[] = {2 * GIB, 3 * GIB + 5, GIB + 1, 2 * GIB + GIB / 2, 4 << 20, 100};
    size_t size = GIB + 77;
    char *p = malloc(size);
    if (p == NULL) return puts("no memory");
    p[0] = 1;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t both = sizes[i] < size ? sizes[i] : size;
        p[both - 1] = (char)(2 + i);
        p = realloc(p, sizes[i]);
        if (p == NULL || p[0] != 1 || p[both - 1] != (char)(2 + i)) return printf("wrong at %u\n", i);
        size = sizes[i];
    }
    free(p);
    puts("right");
    return 0;
}
