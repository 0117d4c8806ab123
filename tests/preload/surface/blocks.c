/* SPDX-License-Identifier: MIT */
/* malloc, free, calloc, realloc, reallocarray, malloc_usable_size: what C, POSIX and glibc say of each, for blocks of
 * every kind. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/sizes.h"

static bool is_filled(const unsigned char *p, size_t size, unsigned char value) {
    return size == 0 || (p[0] == value && memcmp(p, p + 1, size - 1) == 0);
}

static void check_malloc_and_free(void) {
    void *blocks[SIZE_COUNT];
    for (int i = 0; i < SIZE_COUNT; i++) {
        blocks[i] = check_opaque(malloc(sizes[i]));
        CHECK(blocks[i] != NULL);
        CHECK(malloc_usable_size(blocks[i]) >= sizes[i]);
        CHECK((uintptr_t)blocks[i] % (sizes[i] >= 16 ? 16 : 8) == 0);
        memset(blocks[i], i + 1, malloc_usable_size(blocks[i]));
    }
    for (int i = 0; i < SIZE_COUNT; i++) {
        CHECK(is_filled(blocks[i], malloc_usable_size(blocks[i]), (unsigned char)(i + 1)));
        errno = 4711;
        free(blocks[i]);
        CHECK(errno == 4711);
    }
    errno = 4711;
    free(NULL);
    CHECK(errno == 4711);
    CHECK(malloc_usable_size(NULL) == 0);
    void *first = check_opaque(malloc(0)), *second = check_opaque(malloc(0));
    CHECK(first != NULL && second != NULL && first != second);
    free(first);
    free(second);
}

/* Sizes that no machine has; a failure changes nothing but errno. */
static void check_too_large(void) {
    const size_t large[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX - 15, SIZE_MAX};
    for (unsigned i = 0; i < sizeof large / sizeof large[0]; i++) {
        size_t size = (size_t)check_opaque((void *)large[i]);
        errno = 0;
        CHECK(malloc(size) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(calloc(1, size) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(calloc(size, 1) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(realloc(NULL, size) == NULL && errno == ENOMEM);
        for (int k = 0; k < SIZE_COUNT; k++) {
            unsigned char *p = check_opaque(malloc(sizes[k]));
            memset(p, 0x77, sizes[k]);
            errno = 0;
            CHECK(realloc(p, size) == NULL && errno == ENOMEM);
            CHECK(is_filled(p, sizes[k], 0x77));
            free(p);
        }
    }
}

static void check_calloc(void) {
    for (int i = 0; i < SIZE_COUNT; i++) {
        /* Dirty blocks of the size first, so that calloc meets them again. */
        for (int dirty = 0; dirty < 4; dirty++) {
            void *p = check_opaque(malloc(sizes[i]));
            memset(p, 0xff, malloc_usable_size(p));
            free(p);
        }
        unsigned char *p = check_opaque(calloc(1, sizes[i])), *q = check_opaque(calloc(sizes[i], 1));
        CHECK(p != NULL && is_filled(p, sizes[i], 0));
        CHECK(q != NULL && is_filled(q, sizes[i], 0));
        free(p);
        free(q);
    }
    size_t half = (size_t)check_opaque((void *)((SIZE_MAX >> 1) + 1));
    errno = 0;
    CHECK(calloc(half, 2) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(calloc(2, half) == NULL && errno == ENOMEM);
    void *none = check_opaque(calloc(0, half));
    CHECK(none != NULL);
    free(none);
}

static void check_realloc_between(size_t from, size_t to) {
    unsigned char *p = check_opaque(malloc(from));
    for (size_t i = 0; i < from; i++) {
        p[i] = (unsigned char)(i * 7 + from);
    }
    p = check_opaque(realloc(p, to));
    CHECK(p != NULL && malloc_usable_size(p) >= to);
    bool same = true;
    for (size_t i = 0; i < from && i < to; i++) {
        same &= p[i] == (unsigned char)(i * 7 + from);
    }
    CHECK(same);
    free(p);
}

static void check_realloc(void) {
    for (int from = 0; from < SIZE_COUNT; from++) {
        for (int to = 1; to < SIZE_COUNT; to++) {
            check_realloc_between(sizes[from], sizes[to]);
        }
        /* glibc frees, and has no block to return. */
        void *p = check_opaque(malloc(sizes[from]));
        errno = 4711;
        CHECK(realloc(p, (size_t)check_opaque(NULL)) == NULL && errno == 4711);
    }
    void *p = check_opaque(realloc(NULL, 0));
    CHECK(p != NULL);
    free(p);
}

static void check_reallocarray(void) {
    unsigned char *p = check_opaque(reallocarray(NULL, 10, 10));
    CHECK(p != NULL && malloc_usable_size(p) >= 100);
    memset(p, 0x42, 100);
    errno = 0;
    size_t half = (size_t)check_opaque((void *)((SIZE_MAX >> 1) + 1));
    CHECK(reallocarray(p, half, 2) == NULL && errno == ENOMEM);
    CHECK(is_filled(p, 100, 0x42));
    p = check_opaque(reallocarray(p, 1000, 1000));
    CHECK(p != NULL && malloc_usable_size(p) >= 1000000 && is_filled(p, 100, 0x42));
    CHECK(reallocarray(p, (size_t)check_opaque(NULL), 10) == NULL);
}

/* The names that libc has besides, and C23's. */
static void check_other_names(void) {
#ifdef SURFACE_LINKED
    extern void free_sized(void *, size_t), free_aligned_sized(void *, size_t, size_t);
    void (*sized)(void *, size_t) = free_sized;
    void (*aligned_sized)(void *, size_t, size_t) = free_aligned_sized;
#else
    void (*sized)(void *, size_t);
    void (*aligned_sized)(void *, size_t, size_t);
    *(void **)&sized = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&aligned_sized = dlsym(RTLD_DEFAULT, "free_aligned_sized");
#endif
    extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
    extern void __libc_free(void *);
    CHECK(sized != NULL && aligned_sized != NULL);
    for (int i = 0; i < SIZE_COUNT && sized != NULL && aligned_sized != NULL; i++) {
        errno = 4711;
        sized(malloc(sizes[i]), sizes[i]);
        aligned_sized(memalign(64, sizes[i]), 64, sizes[i]);
        CHECK(errno == 4711);
        free(__libc_malloc(sizes[i]));
        __libc_free(malloc(sizes[i]));
        unsigned char *p = __libc_realloc(__libc_calloc(3, sizes[i]), 2 * sizes[i] + 1);
        CHECK(is_filled(p, 2 * sizes[i], 0));
        free(p);
    }
    if (sized != NULL && aligned_sized != NULL) {
        sized(NULL, 0);
        aligned_sized(NULL, 1, 0);
    }
}

int main(void) {
    check_malloc_and_free();
    check_too_large();
    check_calloc();
    check_realloc();
    check_reallocarray();
    check_other_names();
    return check_done();
}
