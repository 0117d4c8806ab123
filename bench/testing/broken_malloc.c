/* SPDX-License-Identifier: MIT */
/* A malloc that breaks one promise, to preload: the control that shows that the workers' checks fail.
 *
 * BROKEN_MALLOC in the environment names the promise; without it all is as the C library has it. Every PERIODth call of
 * the kind in question is a wrong one. Blocks are never given back, so that a wrong one does no harm behind the back of
 * the check. For tests only. */
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PERIOD 50

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static struct {
    void *block;
    size_t size;
} last; /* one thread only, as all data here: the control is for workloads of one thread */
static unsigned calls;

/* No getenv: it may be asked for before the C library is ready, and may not be asked for by another name. */
static bool broken(const char *promise) {
    static const char name[] = "BROKEN_MALLOC=";
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        if (strncmp(*variable, name, sizeof name - 1) == 0) {
            return strcmp(*variable + sizeof name - 1, promise) == 0 && ++calls % PERIOD == 0;
        }
    }
    return false;
}

/* overlap: the block before is given out again. */
void *malloc(size_t size) {
    void *p = last.block;
    if (p == NULL || last.size < size || !broken("overlap")) {
        p = __libc_malloc(size);
    }
    last.block = p;
    last.size = size;
    return p;
}

void free(void *p) { (void)p; }

/* dirty: one byte is not zero. */
void *calloc(size_t count, size_t size) {
    unsigned char *p = __libc_calloc(count, size);
    if (p != NULL && count * size != 0 && broken("dirty")) {
        p[0] = 1;
    }
    return p;
}

/* forget: the new block does not hold what the old one held. */
void *realloc(void *p, size_t size) {
    void *moved = __libc_malloc(size);
    if (p != NULL && moved != NULL && !broken("forget")) {
        size_t old_size = malloc_usable_size(p);
        memcpy(moved, p, old_size < size ? old_size : size);
    }
    return moved;
}

/* misalign: half as much as was asked for. */
void *aligned_alloc(size_t alignment, size_t size) {
    char *p = __libc_memalign(alignment, size + alignment);
    return p != NULL && broken("misalign") ? p + alignment / 2 : p;
}
