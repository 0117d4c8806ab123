/* SPDX-License-Identifier: MIT */
/* The C library's malloc, slower by a known amount, to preload: what the laboratory is calibrated with.
 *
 * SLOW_MALLOC in the environment says by what a call of malloc takes longer:
 *
 *   steps:N       N multiplications, each of which waits for the one before: four instructions a step
 *   ns:N          as many steps as take N ns of processor time
 *   percent:N     as many as take N % of a malloc and its free, of PROBE_BYTES
 *
 * Without it the library is the control: the same way through it, and no step. What a step takes is measured when the
 * library is loaded. For tests only. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROBE_BYTES 64
#define PROBES 200000
#define TURNS 5

void *__libc_malloc(size_t size);
void __libc_free(void *p);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static unsigned long steps; /* constant after the start */

static void wait_steps(unsigned long count) {
    unsigned long value = 3;
    while (count > 0) {
        __asm__ volatile("imul %0, %0\n\tsub $1, %1" : "+r"(value), "+r"(count) : : "cc");
    }
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static void probe_steps(void) { wait_steps(PROBES); }

static void probe_pairs(void) {
    for (unsigned i = 0; i < PROBES; i++) {
        void *p = __libc_malloc(PROBE_BYTES);
        __asm__ volatile("" : : "r"(p) : "memory");
        __libc_free(p);
    }
}

/* ns of one of the PROBES, the least of some turns: a machine that is busy only adds. */
static double cost_ns(void (*probe)(void)) {
    double least = 0;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        const double began = now_ns();
        probe();
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
    const double ns = asked(text, "ns:"), percent = asked(text, "percent:");
    double count = asked(text, "steps:");
    if (ns > 0) {
        count = ns / cost_ns(probe_steps);
    } else if (percent > 0) {
        count = percent / 100 * cost_ns(probe_pairs) / cost_ns(probe_steps);
    }
    steps = (unsigned long)(count + 0.5);
}

void *malloc(size_t size) {
    wait_steps(steps);
    return __libc_malloc(size);
}

void free(void *p) { __libc_free(p); }

void *calloc(size_t count, size_t size) { return __libc_calloc(count, size); }

void *realloc(void *p, size_t size) { return __libc_realloc(p, size); }

void *aligned_alloc(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }
