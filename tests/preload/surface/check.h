/* SPDX-License-Identifier: MIT */
/* Checks of a program that runs as any other: no test framework, which would bring its own allocations, and nothing
 * of hakmem. check_done() is main's last line: it prints "N checks passed", or returns 1.
 *
 * Linked with //hakmem:malloc, the programs are compiled with SURFACE_LINKED, and check that it was. */
#ifndef TESTS_PRELOAD_SURFACE_CHECK_H
#define TESTS_PRELOAD_SURFACE_CHECK_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Weak: there in a program that was linked with hakmem, whatever it is linked with otherwise. */
extern const char *hak_version(void) __attribute__((weak));
extern bool hak_owner(const void *p, void *info) __attribute__((weak));

#ifdef __cplusplus
}
#endif

static unsigned check_count, check_failures; /* atomic: threads check too */

static inline void check_that(bool holds, const char *what, const char *file, int line) {
    __atomic_add_fetch(&check_count, 1, __ATOMIC_RELAXED);
    if (!holds) {
        __atomic_add_fetch(&check_failures, 1, __ATOMIC_RELAXED);
        printf("%s:%d: does not hold: %s\n", file, line, what);
    }
}

#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)

/* Keeps the compiler from reasoning about a pointer that it knows to come from malloc. */
static inline void *check_opaque(void *p) {
    __asm__ volatile("" : "+r"(p));
    return p;
}

static inline int check_done(void) {
#ifdef SURFACE_LINKED
    char info[256]; /* more than a struct hak_owner_info */
    void *p = check_opaque(malloc(1));
    CHECK(hak_version != NULL && hak_owner != NULL && hak_owner(p, info));
    free(p);
#endif
    if (check_failures != 0) {
        printf("%u of %u checks failed\n", check_failures, check_count);
        return 1;
    }
    printf("%u checks passed\n", check_count);
    return 0;
}

#endif
