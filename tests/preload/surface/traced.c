/* SPDX-License-Identifier: MIT */
/* A program whose malloc is traced, argv[1] "seen", or would be, "unseen": the tracer lies behind the allocator. */
#include <malloc.h>
#include <string.h>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/sizes.h"

int main(int argc, char **argv) {
    (void)argc;
    unsigned long (*tracer_calls)(void);
    *(void **)&tracer_calls = dlsym(RTLD_DEFAULT, "tracer_calls");
    CHECK(tracer_calls != NULL);
    unsigned long before = tracer_calls();
    for (int i = 0; i < SIZE_COUNT; i++) {
        void *p = check_opaque(malloc(sizes[i]));
        CHECK(p != NULL && malloc_usable_size(p) >= sizes[i]);
        p = check_opaque(realloc(p, sizes[i] + 1));
        memset(p, 1, sizes[i] + 1);
        free(p);
        free(check_opaque(calloc(2, sizes[i])));
        free(strdup("a string"));
    }
    unsigned long traced = tracer_calls() - before;
    CHECK(strcmp(argv[1], "seen") == 0 ? traced >= 4 * SIZE_COUNT : traced == 0);
    return check_done();
}
