/* SPDX-License-Identifier: MIT */
/* Blocks of another C library's malloc, given to the program's free and realloc.
 *
 *     foreign deep LIBRARY WHAT      blocks of a library opened with RTLD_DEEPBIND
 *     foreign other - WHAT           blocks of a second libc, in a name space of its own
 *
 * WHAT is "own" (each side frees its own), "free" or "realloc" (the program gets the other's). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "tests/preload/surface/check.h"

static void *(*give)(size_t);
static void (*take)(void *);
static int (*works)(void);

static void open_deep(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    CHECK(library != NULL);
    void *(*address)(void);
    *(void **)&give = dlsym(library, "deep_give");
    *(void **)&take = dlsym(library, "deep_take");
    *(void **)&works = dlsym(library, "deep_works");
    *(void **)&address = dlsym(library, "deep_malloc_address");
    CHECK(address() != (void *)malloc);
}

static void open_other(void) {
    void *libc = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
    CHECK(libc != NULL);
    *(void **)&give = dlsym(libc, "__libc_malloc");
    *(void **)&take = dlsym(libc, "__libc_free");
    CHECK(give != NULL && give != malloc);
}

static const size_t sizes_of_foreign[] = {1, 100, 5000, 100000, 3000000};

enum { COUNT = sizeof sizes_of_foreign / sizeof sizes_of_foreign[0] };

static void check_own(void) {
    CHECK(works == NULL || works());
    for (int i = 0; i < COUNT; i++) {
        void *foreign = give(sizes_of_foreign[i]), *own = check_opaque(malloc(sizes_of_foreign[i]));
        CHECK(foreign != NULL && own != NULL && malloc_usable_size(own) >= sizes_of_foreign[i]);
        CHECK(malloc_usable_size(foreign) == 0);
        take(foreign);
        free(own);
    }
}

/* The pointer is left alone: the other side can still use and free it. */
static void check_free(void) {
    for (int i = 0; i < COUNT; i++) {
        char *foreign = give(sizes_of_foreign[i]);
        memset(foreign, 0x66, sizes_of_foreign[i]);
        errno = 4711;
        free(foreign);
        CHECK(errno == 4711);
        CHECK(foreign[0] == 0x66 && foreign[sizes_of_foreign[i] - 1] == 0x66);
        take(foreign);
    }
}

static void check_realloc(void) {
    for (int i = 0; i < COUNT; i++) {
        char *foreign = give(sizes_of_foreign[i]);
        memset(foreign, 0x66, sizes_of_foreign[i]);
        CHECK(realloc(foreign, 2 * sizes_of_foreign[i]) == NULL);
        CHECK(foreign[0] == 0x66 && foreign[sizes_of_foreign[i] - 1] == 0x66);
        take(foreign);
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: foreign deep|other LIBRARY own|free|realloc\n");
        return 2;
    }
    if (strcmp(argv[1], "deep") == 0) {
        open_deep(argv[2]);
    } else {
        open_other();
    }
    if (strcmp(argv[3], "own") == 0) {
        check_own();
    } else if (strcmp(argv[3], "free") == 0) {
        check_free();
    } else {
        check_realloc();
    }
    return check_done();
}
