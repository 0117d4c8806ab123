/* SPDX-License-Identifier: MIT */
/* memalign, aligned_alloc, posix_memalign, valloc, pvalloc: what C, POSIX and glibc say of each, for blocks of every
 * kind. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/sizes.h"

static char untouched; /* its address: a pointer that a failure must leave */

static bool fits(void *p, size_t alignment, size_t size) {
    return p != NULL && (uintptr_t)p % alignment == 0 && malloc_usable_size(p) >= size;
}

static void use_and_free(void *p) {
    memset(p, 0x33, malloc_usable_size(p));
    errno = 4711;
    free(p);
    CHECK(errno == 4711);
}

static void check_aligned(size_t alignment, size_t size) {
    void *p = check_opaque(memalign(alignment, size)), *q = check_opaque(aligned_alloc(alignment, size)), *r = NULL;
    CHECK(fits(p, alignment, size));
    CHECK(fits(q, alignment, size));
    use_and_free(p);
    use_and_free(q);
    if (alignment >= sizeof(void *)) {
        CHECK(posix_memalign(&r, alignment, size) == 0 && fits(r, alignment, size));
        use_and_free(r);
    }
}

/* An aligned block is a block like any other. */
static void check_aligned_then_grown(size_t alignment, size_t size) {
    unsigned char *p = check_opaque(memalign(alignment, size));
    memset(p, 0x44, size);
    p = check_opaque(realloc(p, size + 5000));
    CHECK(p != NULL && p[0] == 0x44 && p[size - 1] == 0x44);
    free(p);
}

static void check_sizes(void) {
    for (int i = 0; i < SIZE_COUNT; i++) {
        for (size_t alignment = 1; alignment <= (size_t)1 << 21; alignment *= 2) {
            check_aligned(alignment, sizes[i]);
        }
    }
    check_aligned((size_t)1 << 30, 1);
    check_aligned((size_t)1 << 32, 1);
    check_aligned_then_grown(64, 100);
    check_aligned_then_grown(4096, 100);
    check_aligned_then_grown(1 << 17, 100);
    check_aligned_then_grown(1 << 20, 3000000);
}

/* memalign rounds up, and gives up only where the rounded value has no room in a size_t. */
static void check_memalign_of_no_power_of_two(void) {
    const size_t odd[] = {0, 3, 24, 48, 100, 5000};
    const size_t rounded[] = {1, 4, 32, 64, 128, 8192};
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        void *p = check_opaque(memalign((size_t)check_opaque((void *)odd[i]), 10));
        CHECK(fits(p, rounded[i], 10));
        free(p);
    }
    errno = 0;
    CHECK(memalign((size_t)check_opaque((void *)(SIZE_MAX / 2 + 2)), 10) == NULL && errno == EINVAL);
}

static void check_aligned_alloc_of_no_power_of_two(void) {
    const size_t odd[] = {0, 3, 24, 48, 100, 5000, SIZE_MAX};
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        errno = 0;
        CHECK(aligned_alloc((size_t)check_opaque((void *)odd[i]), 4096) == NULL && errno == EINVAL);
    }
}

static void check_posix_memalign_failures(void) {
    const size_t odd[] = {0, 1, 2, 4, 3, 12, 24, 48, SIZE_MAX};
    for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        void *p = &untouched;
        errno = 4711;
        CHECK(posix_memalign(&p, (size_t)check_opaque((void *)odd[i]), 10) == EINVAL);
        CHECK(p == &untouched && errno == 4711);
    }
    const size_t large[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX};
    for (unsigned i = 0; i < sizeof large / sizeof large[0]; i++) {
        void *p = &untouched;
        errno = 4711;
        CHECK(posix_memalign(&p, 64, (size_t)check_opaque((void *)large[i])) == ENOMEM);
        CHECK(p == &untouched && errno == 4711);
    }
}

/* Powers of two that no allocation can have. */
static void check_alignment_too_large(void) {
    for (size_t alignment = (size_t)1 << 33; alignment != 0; alignment *= 2) {
        void *p = &untouched;
        errno = 0;
        CHECK(memalign(alignment, 10) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(aligned_alloc(alignment, 10) == NULL && errno == ENOMEM);
        errno = 4711;
        CHECK(posix_memalign(&p, alignment, 10) == ENOMEM && p == &untouched && errno == 4711);
    }
    errno = 0;
    CHECK(memalign(64, (size_t)check_opaque((void *)SIZE_MAX)) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(aligned_alloc(64, (size_t)check_opaque((void *)SIZE_MAX)) == NULL && errno == ENOMEM);
}

static void check_pages(void) {
    extern void *__libc_memalign(size_t, size_t), *__libc_valloc(size_t), *__libc_pvalloc(size_t);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < SIZE_COUNT; i++) {
        const size_t whole = (sizes[i] + page - 1) / page * page;
        void *blocks[] = {valloc(sizes[i]), pvalloc(sizes[i]), __libc_valloc(sizes[i]), __libc_pvalloc(sizes[i]),
                          __libc_memalign(page, sizes[i])};
        for (unsigned k = 0; k < sizeof blocks / sizeof blocks[0]; k++) {
            CHECK(fits(check_opaque(blocks[k]), page, k % 2 == 1 ? whole : sizes[i]));
            use_and_free(blocks[k]);
        }
    }
    for (size_t size = SIZE_MAX; size > SIZE_MAX - page; size -= 1000) {
        errno = 0;
        CHECK(pvalloc((size_t)check_opaque((void *)size)) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(valloc((size_t)check_opaque((void *)size)) == NULL && errno == ENOMEM);
    }
}

int main(void) {
    check_sizes();
    check_memalign_of_no_power_of_two();
    check_aligned_alloc_of_no_power_of_two();
    check_posix_memalign_failures();
    check_alignment_too_large();
    check_pages();
    return check_done();
}
