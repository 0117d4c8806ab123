/* SPDX-License-Identifier: MIT */
/* Pointers that no block starts at, or none that is live. */
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/misuse/cases/case.h"

#define MAPPING_BYTES ((size_t)1 << 20)
#define OTHERS 8

static void free_in_thread(void *p) { free(p); }

static char *freed(size_t size) {
    char *p = malloc(size);
    free(p);
    return p;
}

/* Not the first of them: where the next block comes from this memory, it starts there. */
static char *freed_before_others(size_t size) {
    void *others[OTHERS];
    for (int i = 0; i < OTHERS / 2; i++) others[i] = malloc(size);
    char *p = malloc(size);
    for (int i = OTHERS / 2; i < OTHERS; i++) others[i] = malloc(size);
    free(p);
    for (int i = 0; i < OTHERS; i++) free(others[i]);
    return p;
}

static char *freed_between_reallocated(size_t size) {
    char *before = malloc(size), *p = malloc(size), *behind = malloc(size);
    free(p);
    (void)!realloc(before, 3 * size);
    (void)!realloc(behind, 3 * size);
    return p;
}

static char *freed_by_other_thread(size_t size) {
    char *p = malloc(size);
    misuse_in_thread(free_in_thread, p);
    return p;
}

/* As above. */
static char *freed_and_trimmed(size_t size) {
    char *before = malloc(size), *p = malloc(size);
    free(before);
    free(p);
    malloc_trim(0);
    return p;
}

static char *freed_interior(size_t size) { return freed(size) + 16; }

static char *interior(size_t size) { return (char *)malloc(size) + size / 2 / 16 * 16; }

static char *misaligned(size_t size) { return (char *)malloc(size) + 1; }

static char *last_byte(size_t size) { return (char *)malloc(size) + size - 1; }

static char *high_bits(size_t size) { return (char *)((uintptr_t)malloc(size) | (uintptr_t)1 << 60); }

static char *stack(size_t size) {
    char *volatile local = __builtin_frame_address(0);
    (void)size;
    return local;
}

static char *global(size_t size) {
    static char variable[64] __attribute__((aligned(16)));
    (void)size;
    return variable;
}

static char *code(size_t size) {
    (void)size;
    return (char *)((uintptr_t)code & ~(uintptr_t)15);
}

static char *mapping(int protection) {
    return mmap(NULL, MAPPING_BYTES, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static char *other_mapping(size_t size) {
    (void)size;
    return mapping(PROT_READ | PROT_WRITE);
}

static char *unreadable(size_t size) {
    (void)size;
    return mapping(PROT_NONE);
}

static char *never_mapped(size_t size) {
    char *p = mapping(PROT_NONE);
    (void)size;
    munmap(p, MAPPING_BYTES);
    return p;
}

static char *far(size_t size) {
    (void)size;
    return (char *)(uintptr_t)0xffff800000001000;
}

static char *near_null(size_t size) {
    (void)size;
    return (char *)16;
}

static char *small_integer(size_t size) {
    (void)size;
    return (char *)7;
}

const struct misuse_pointer misuse_pointers[] = {
    {"freed", true, freed},
    {"freed_before_others", true, freed_before_others},
    {"freed_between_reallocated", true, freed_between_reallocated},
    {"freed_by_other_thread", true, freed_by_other_thread},
    {"freed_and_trimmed", true, freed_and_trimmed},
    {"freed_interior", true, freed_interior},
    {"interior", true, interior},
    {"misaligned", true, misaligned},
    {"last_byte", true, last_byte},
    {"high_bits", true, high_bits},
    {"stack", false, stack},
    {"global", false, global},
    {"code", false, code},
    {"other_mapping", false, other_mapping},
    {"unreadable", false, unreadable},
    {"never_mapped", false, never_mapped},
    {"far", false, far},
    {"near_null", false, near_null},
    {"small_integer", false, small_integer},
    {NULL, false, NULL},
};
