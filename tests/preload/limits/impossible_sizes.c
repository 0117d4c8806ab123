/* SPDX-License-Identifier: MIT */
/* Sizes that no machine has, in every function that takes one; what cannot grow keeps its content. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOW(call) \
    (errno = 0, p = (call), printf("%s: %s, errno %d\n", #call, p == NULL ? "NULL" : "block", errno), free(p))

int main(void) {
    static const size_t sizes[] = {1, 1000, 40000, 1 << 20, 5 << 20};
    void *p;
    SHOW(malloc((size_t)1 << 46));
    SHOW(malloc((size_t)1 << 44));
    SHOW(calloc(1, (size_t)1 << 46));
    SHOW(calloc((size_t)1 << 23, (size_t)1 << 23));
    SHOW(realloc(NULL, (size_t)1 << 46));
    SHOW(aligned_alloc(4096, (size_t)1 << 46));
    SHOW(aligned_alloc((size_t)1 << 20, (size_t)1 << 45));
    SHOW(memalign(64, (size_t)1 << 46));
    SHOW(valloc((size_t)1 << 46));
    SHOW(pvalloc((size_t)1 << 46));
    p = NULL;
    printf("posix_memalign %d\n", posix_memalign(&p, 4096, (size_t)1 << 46));
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = memset(malloc(sizes[i]), 5, sizes[i]);
        errno = 0;
        void *moved = realloc(block, (size_t)1 << 46);
        printf("realloc of %zu: %s, errno %d, kept %d\n", sizes[i], moved == NULL ? "NULL" : "block", errno,
               moved != NULL || block[sizes[i] - 1] == 5);
        if (moved == NULL) free(block);
    }
    /* Nothing was lost by it. */
    SHOW(malloc(100));
    SHOW(malloc((size_t)64 << 20));
    return 0;
}
