/* SPDX-License-Identifier: MIT */
/* A program with six leaks through one wrapper of malloc: only the callers tell them apart. Each line that leaks has the name of its
 * function in a comment, for the test; then it says "ready PID", and waits for the end of its input. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SITE __attribute__((noinline))
#define BLOCKS 7
#define DEPTH 50

static void *volatile lost;

/* What the compiler must not leave out, and behind a call, so that none is a jump. */
static void *used(void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

static inline __attribute__((always_inline)) void *checked(size_t size) {
    void *p = malloc(size); /* line: checked */
    if (p == NULL) abort();
    return used(p);
}

SITE static void *xmalloc(size_t size) { return used(checked(size)); /* line: xmalloc */ }

SITE static void parse_header(void) { lost = used(xmalloc(48)); /* line: parse_header */ }

SITE static void parse_body(void) { lost = used(xmalloc(1000)); /* line: parse_body */ }

SITE static void cache_put(void) { lost = used(xmalloc(100000)); /* line: cache_put */ }

SITE static void descend(unsigned depth) {
    if (depth == 0) {
        lost = used(xmalloc(3000)); /* line: descend */
    } else {
        descend(depth - 1);
    }
    used(NULL);
}

static int compare(const void *a, const void *b) {
    lost = used(xmalloc(200)); /* line: compare */
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

SITE static void sort_two(void) {
    int numbers[] = {2, 1};
    qsort(numbers, 2, sizeof numbers[0], compare); /* line: sort_two */
}

static void *run_thread(void *argument) {
    lost = used(xmalloc(5000)); /* line: run_thread */
    return used(argument);
}

SITE static void handle_request(void) {
    parse_header(); /* line: handle_request */
    parse_body();
    cache_put();
    used(NULL);
}

int main(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        pthread_t thread;
        handle_request(); /* line: main */
        descend(DEPTH);
        sort_two();
        if (pthread_create(&thread, NULL, run_thread, NULL) != 0 || pthread_join(thread, NULL) != 0) return 1;
    }
    char line[64];
    const int length = snprintf(line, sizeof line, "ready %ld\n", (long)getpid());
    if (write(STDOUT_FILENO, line, (size_t)length) != length) return 1;
    while (read(STDIN_FILENO, line, sizeof line) > 0) {
        handle_request();
        if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
    }
    return 0;
}
