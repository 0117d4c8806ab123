/* SPDX-License-Identifier: MIT */
/* Each function of the allocator in a thread of its own, whose stack is the smallest that the C library allows; for malloc_info 4 KiB
 * more, since the C library's own needs it. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Inaccessible below each stack, and more than any function's frame. */
#define GUARD_BYTES ((size_t)1 << 16)

static FILE *nowhere;

static void use_blocks(void) {
    const size_t sizes[] = {1, 100, 5000, 200000, 3000000};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        free(malloc(sizes[i]));
        free(calloc(3, sizes[i]));
        free(memalign(4096, sizes[i]));
    }
}

static void use_realloc(void) {
    void *p = NULL;
    for (size_t size = 1; size < (size_t)64 << 20; size *= 3) p = realloc(p, size);
    free(realloc(p, 10));
}

static void use_usable_size(void) {
    void *p = malloc(100);
    if (malloc_usable_size(p) < 100) abort();
    free(p);
}

static void use_mallinfo2(void) { (void)mallinfo2(); }
static void use_malloc_info(void) { (void)malloc_info(0, nowhere); }
static void use_malloc_stats(void) { malloc_stats(); }
static void use_malloc_trim(void) { (void)malloc_trim(0); }
static void use_mallopt(void) { (void)mallopt(M_TRIM_THRESHOLD, 0); }

static const struct use {
    const char *name;
    void (*call)(void);
    size_t stack_bytes; /* beside the smallest */
} uses[] = {
    {"blocks", use_blocks, 0},
    {"realloc", use_realloc, 0},
    {"malloc_usable_size", use_usable_size, 0},
    {"mallinfo2", use_mallinfo2, 0},
    {"malloc_info", use_malloc_info, 4096},
    {"malloc_stats", use_malloc_stats, 0},
    {"malloc_trim", use_malloc_trim, 0},
    {"mallopt", use_mallopt, 0},
};

static void *run(void *use) {
    ((const struct use *)use)->call();
    return NULL;
}

int main(void) {
    pthread_attr_t attributes;
    nowhere = fopen("/dev/null", "w");
    if (nowhere == NULL || freopen("/dev/null", "w", stderr) == NULL) return 1;
    setvbuf(nowhere, NULL, _IONBF, 0);
    setvbuf(stderr, NULL, _IONBF, 0);
    setvbuf(stdout, NULL, _IONBF, 0);
    if (pthread_attr_init(&attributes) != 0) return 1;
    if (pthread_attr_setguardsize(&attributes, GUARD_BYTES) != 0) return 1;
    for (unsigned i = 0; i < sizeof uses / sizeof *uses; i++) {
        const size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
        pthread_t thread;
        if (pthread_attr_setstacksize(&attributes, least + uses[i].stack_bytes) != 0) return 1;
        if (pthread_create(&thread, &attributes, run, (void *)&uses[i]) != 0 || pthread_join(thread, NULL) != 0)
            return 1;
        printf("%s\n", uses[i].name);
    }
    return 0;
}
