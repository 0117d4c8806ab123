/* SPDX-License-Identifier: MIT */
/* A program whose every call site makes and leaves a number of blocks that its test knows.
 *
 *     sites           makes them and ends
 *     sites wait      says "ready" in between, and waits for the end of its input
 *     sites handed    as wait, and has a thread, which ends, free two of three blocks that the first one made
 *     sites fork      as wait, but in a child that goes on without an exec; says "ready PID" of the child
 *     sites exec      the child of a fork runs /bin/true, then as without */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SITE __attribute__((noinline))

static void *kept[16384];
static unsigned kept_count;
static void *volatile nothing; /* which the compiler does not know */

/* What the compiler must not leave out. */
static void *used(void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    if (p == NULL) abort();
    return p;
}

static void keep(void *p, unsigned index, unsigned every) {
    if (index % every == 0) {
        kept[kept_count++] = p;
    } else {
        free(p);
    }
}

SITE static void *make_small(void) { return used(malloc(64)); }
SITE static void *make_zeroed(void) { return used(calloc(10, 500)); }
SITE static void *make_large(void) { return used(malloc(100000)); }
SITE static void *make_huge(void) { return used(malloc((size_t)3 << 20)); }
SITE static void *make_larger(void *p) { return used(realloc(p, 9000)); }
SITE static void *make_aligned(void) {
    void *p;
    if (posix_memalign(&p, 256, 2048) != 0) abort();
    return used(p);
}

static void make_all(void) {
    for (unsigned i = 0; i < 20000; i++) keep(make_small(), i, 4);
    for (unsigned i = 0; i < 2000; i++) keep(make_zeroed(), i, 2);
    for (unsigned i = 0; i < 300; i++) keep(make_large(), i, 10);
    for (unsigned i = 0; i < 40; i++) keep(make_huge(), i, 8);
    for (unsigned i = 0; i < 400; i++) keep(make_larger(nothing), i, 4);
    for (unsigned i = 0; i < 1000; i++) keep(make_aligned(), i, 5);
}

static void *handed[300];

static void *free_handed(void *unused) {
    for (unsigned i = 0; i < sizeof handed / sizeof *handed; i++) {
        if (i % 3 != 0) free(handed[i]);
    }
    return unused;
}

SITE static void make_handed(void) {
    pthread_t thread;
    for (unsigned i = 0; i < sizeof handed / sizeof *handed; i++) handed[i] = used(malloc(3000));
    if (pthread_create(&thread, NULL, free_handed, NULL) != 0 || pthread_join(thread, NULL) != 0) abort();
}

static void wait_for_input(long process) {
    char line[64];
    const int length = snprintf(line, sizeof line, "ready %ld\n", process);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) abort();
    while (read(STDIN_FILENO, line, sizeof line) > 0) {
    }
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "fork") == 0) {
        make_small();
        const pid_t child = fork();
        if (child != 0) return waitpid(child, NULL, 0) == child ? 0 : 1;
    }
    if (strcmp(what, "exec") == 0) {
        const pid_t child = fork();
        if (child == 0) execl("/bin/true", "true", (char *)NULL);
        if (waitpid(child, NULL, 0) != child) return 1;
    }
    make_all();
    if (strcmp(what, "handed") == 0) make_handed();
    if (strcmp(what, "wait") == 0 || strcmp(what, "handed") == 0 || strcmp(what, "fork") == 0)
        wait_for_input((long)getpid());
    return 0;
}
