/* SPDX-License-Identifier: MIT */
/* What is done to a block's memory where it is not the program's, for guard full. An overflow counts as caught at once
 * where the block's own free catches it, a write after a free where the memory's next use does: the announced call is
 * the one that may know. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/misuse/cases/case.h"

#define REUSES 4096

static void write_behind(size_t size, size_t bytes) {
    char *p = malloc(size);
    misuse_announce(p);
    memset(p + size, 'x', bytes);
    free(p);
}

static void overflow_by_one(size_t size) { write_behind(size, 1); }

static void overflow_by_eight(size_t size) { write_behind(size, 8); }

static void write_after_free(size_t size) {
    volatile char *p = malloc(size);
    free((void *)p);
    misuse_announce((const void *)p);
    p[size / 2] = 'x';
    for (unsigned i = 0; i < REUSES && size <= 1024; i++) free(malloc(size));
    for (unsigned i = 0; i < 64 && size > 1024; i++) free(malloc(size));
    void *blocks[256];
    for (unsigned i = 0; i < 256 && size <= 32768; i++) blocks[i] = malloc(size);
    for (unsigned i = 0; i < 256 && size <= 32768; i++) free(blocks[i]);
}

static void read_after_free_large(size_t size) {
    volatile char *p = malloc(3000000);
    (void)size;
    p[1500000] = 'x';
    free((void *)p);
    misuse_announce((const void *)p);
    (void)p[1500000];
}

static void zero_size_read(size_t size) {
    volatile char *p = malloc(0);
    (void)size;
    misuse_announce((const void *)p);
    (void)p[0];
}

static void zero_size_write(size_t size) {
    volatile char *p = malloc(0);
    (void)size;
    misuse_announce((const void *)p);
    p[0] = 'x';
}

const struct misuse_case misuse_accesses[] = {
    {"overflow_by_one", true, true, overflow_by_one},
    {"overflow_by_eight", true, true, overflow_by_eight},
    {"write_after_free", true, true, write_after_free},
    {"read_after_free_large", false, true, read_after_free_large},
    {"zero_size_read", false, true, zero_size_read},
    {"zero_size_write", false, true, zero_size_write},
    {NULL, false, false, NULL},
};
