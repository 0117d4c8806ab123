/* SPDX-License-Identifier: MIT */
/* The C library's malloc, slower by a known amount, to preload: what the laboratory is calibrated with.
 *
 * SLOW_MALLOC in the environment says by what a call of malloc takes longer:
 *
 *   steps:N       N multiplications, each of which waits for the one before: four instructions a step
 *   ns:N          as many steps as take N ns of processor time
 *
 * Without it the library is the control: the same way through it, and no step. What a step takes is measured when the
 * library is loaded. For tests only. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROBES 200000
#define TURNS 5

void *__libc_malloc(size_t size);
void __libc_free(void *p);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* A multiplication takes as long as so many additions. */
#define ADDITIONS 3

static unsigned long steps, additions; /* constant after the start */

/* 0, which is known when all steps are done: whoever adds it waits for them. */
static size_t wait_steps(unsigned long multiplications, unsigned long rest) {
    size_t value = 3;
    while (multiplications > 0) {
        __asm__ volatile("imul %0, %0\n\tsub $1, %1" : "+r"(value), "+r"(multiplications) : : "cc");
    }
    for (; rest > 0; rest--) {
        __asm__ volatile("add $1, %0" : "+r"(value) : : "cc");
    }
    __asm__ volatile("and $0, %0" : "+r"(value) : : "cc");
    return value;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* ns of a step, the least of some turns: a machine that is busy only adds. */
static double step_ns(void) {
    double least = 0;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        const double began = now_ns();
        (void)wait_steps(PROBES, 0);
        const double took = now_ns() - began;
        least = turn == 0 || took < least ? took : least;
    }
    return least / PROBES;
}

static double asked(const char *text, const char *unit) {
    const size_t length = strlen(unit);
    return strncmp(text, unit, length) == 0 ? strtod(text + length, NULL) : 0;
}

__attribute__((constructor)) static void measure_step(void) {
    const char *text = getenv("SLOW_MALLOC");
    if (text == NULL) {
        return;
    }
    const double ns = asked(text, "ns:");
    const double count = ns > 0 ? ns / step_ns() : asked(text, "steps:");
    steps = (unsigned long)count;
    additions = (unsigned long)((count - (double)steps) * ADDITIONS + 0.5);
}

void *malloc(size_t size) { return __libc_malloc(size + wait_steps(steps, additions)); }

void free(void *p) { __libc_free(p); }

void *calloc(size_t count, size_t size) { return __libc_calloc(count, size); }

void *realloc(void *p, size_t size) { return __libc_realloc(p, size); }

void *aligned_alloc(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }
