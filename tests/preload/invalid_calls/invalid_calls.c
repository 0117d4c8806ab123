/* SPDX-License-Identifier: MIT */
/* Calls that a program must not make, as small programs that show it do: invalid_calls CASE. Each says "done" where nobody stopped
 * it. With "handled" behind the case, SIGABRT is handled as by programs that print a backtrace; with "forks" a child does that as well;
 * with "left" the handler is left by longjmp, and another wrong call is made. */
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMALL = 40, MIDDLE = 200, LARGE = 2000, LARGER = 100000, HUGE_BLOCK = 3000000, MANY = 4000 };

static void *blocks[MANY];

static void make(unsigned count, size_t size) {
    for (unsigned i = 0; i < count; i++) blocks[i] = malloc(size);
}

static void release(unsigned from, unsigned to) {
    for (unsigned i = from; i < to; i++) free(blocks[i]);
}

static void twice(size_t size) {
    void *p = malloc(size);
    void *volatile behind = malloc(size); /* no block at the end of a heap */
    free(p);
    free(p);
    (void)behind;
}

static void twice_small(void) { twice(SMALL); }
static void twice_middle(void) { twice(MIDDLE); }
static void twice_large(void) { twice(LARGE); }
static void twice_larger(void) { twice(LARGER); }
static void twice_huge(void) { twice(HUGE_BLOCK); }

static void others_between(size_t size) {
    make(6, size);
    free(blocks[0]);
    free(blocks[1]);
    free(blocks[2]);
    free(blocks[0]);
}

static void others_between_small(void) { others_between(SMALL); }
static void others_between_middle(void) { others_between(MIDDLE); }
static void others_between_large(void) { others_between(LARGE); }

/* More than any cache of a thread holds, then one of the last again. */
static void after_many_frees(void) {
    make(MANY, MIDDLE);
    release(0, MANY - 1);
    free(blocks[MANY - 2]);
}

static int compare(const void *a, const void *b) {
    const uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
    return (x > y) - (x < y);
}

/* As shown of lists of free blocks: a, b, a, and then blocks are made again until one came out twice. */
static void made_again(void) {
    make(64, SMALL);
    release(0, 40);
    free(blocks[40]);
    free(blocks[41]);
    free(blocks[40]);
    make(MANY, SMALL);
    qsort(blocks, MANY, sizeof blocks[0], compare);
    for (unsigned i = 1; i < MANY; i++) {
        if (blocks[i - 1] == blocks[i]) puts("given out twice");
    }
}

static void twice_in_a_thread(void *p) {
    free(p);
    free(p);
}

static void *thread_twice(void *p) {
    twice_in_a_thread(p);
    return NULL;
}

static void *thread_once(void *p) {
    free(p);
    return NULL;
}

static void run_thread(void *(*body)(void *), void *p) {
    pthread_t thread;
    pthread_create(&thread, NULL, body, p);
    pthread_join(thread, NULL);
}

static void twice_by_a_thread(void) { run_thread(thread_twice, malloc(SMALL)); }

static void by_a_thread_and_here(void) {
    void *p = malloc(LARGE);
    run_thread(thread_once, p);
    free(p);
}

static void after_realloc(void) {
    char *p = malloc(LARGE);
    void *volatile behind = malloc(LARGE);
    char *moved = realloc(p, 50 * LARGE);
    (void)behind;
    if (moved == p) free(p);
    free(p);
}

static void realloc_of_a_dead_block(void) {
    void *p = malloc(LARGE);
    void *volatile behind = malloc(LARGE);
    free(p);
    (void)behind;
    p = realloc(p, 2 * LARGE);
}

static void interior(size_t size, size_t offset) {
    char *p = malloc(size);
    void *volatile behind = malloc(size);
    memset(p, 0, size);
    free(p + offset);
    (void)behind;
}

static void interior_of_small(void) { interior(SMALL, 16); }
static void interior_of_large(void) { interior(LARGE, 512); }
static void interior_of_huge(void) { interior(HUGE_BLOCK, 4096); }
static void misaligned(void) { interior(SMALL, 1); }
static void misaligned_by_eight(void) { interior(LARGE, 8); }

static void realloc_of_an_interior_pointer(void) {
    char *p = malloc(LARGE);
    memset(p, 0, LARGE);
    p = realloc(p + 24, 2 * LARGE);
}

static void of_the_stack(void) {
    char local[256] __attribute__((aligned(16)));
    memset(local, 0, sizeof local);
    char *volatile p = local + 64;
    free(p);
}

static char global[4096] __attribute__((aligned(16)));

static void of_a_global(void) {
    char *volatile p = global + 64;
    free(p);
}

static void of_a_literal(void) {
    const char *volatile p = "a string of the program that is long enough";
    free((void *)p);
}

static void realloc_of_the_stack(void) {
    char local[256] __attribute__((aligned(16)));
    memset(local, 0, sizeof local);
    char *volatile p = local + 64;
    p = realloc(p, 1000);
}

/* Not one that glibc stops: it reads what lies before the pointer. */
static void size_of_a_dead_block(void) {
    void *p = malloc(LARGE);
    free(p);
    if (malloc_usable_size(p) == 1) puts("?");
}

/* Allocates and frees blocks of the sizes above, many of each, so that magazines go empty and full. */
static void handle(int number) {
    static const struct {
        size_t size;
        unsigned count;
    } uses[] = {{SMALL, MANY}, {MIDDLE, MANY}, {LARGE, MANY}, {LARGER, 50}, {HUGE_BLOCK, 3}};
    (void)number;
    for (unsigned i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        make(uses[i].count, uses[i].size);
        release(0, uses[i].count);
    }
    _exit(write(STDOUT_FILENO, "handled\n", 8) == 8 ? 7 : 3);
}

static void fork_and_handle(int number) {
    int status;
    const pid_t child = fork();
    if (child > 0 && (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7)) _exit(4);
    handle(number);
}

static jmp_buf before;

static void leave(int number) {
    (void)number;
    longjmp(before, 1);
}

static void call_again(void) {
    signal(SIGABRT, handle);
    of_a_global();
    _exit(5);
}

#define CASE(name) \
    { #name, name }

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    CASE(twice_small),
    CASE(twice_middle),
    CASE(twice_large),
    CASE(twice_larger),
    CASE(twice_huge),
    CASE(others_between_small),
    CASE(others_between_middle),
    CASE(others_between_large),
    CASE(after_many_frees),
    CASE(made_again),
    CASE(twice_by_a_thread),
    CASE(by_a_thread_and_here),
    CASE(after_realloc),
    CASE(realloc_of_a_dead_block),
    CASE(interior_of_small),
    CASE(interior_of_large),
    CASE(interior_of_huge),
    CASE(misaligned),
    CASE(misaligned_by_eight),
    CASE(realloc_of_an_interior_pointer),
    CASE(of_the_stack),
    CASE(of_a_global),
    CASE(of_a_literal),
    CASE(realloc_of_the_stack),
    CASE(size_of_a_dead_block),
};

int main(int argc, char **argv) {
    if (argc > 2) {
        const bool forks = strcmp(argv[2], "forks") == 0, is_left = strcmp(argv[2], "left") == 0;
        signal(SIGABRT, forks ? fork_and_handle : is_left ? leave : handle);
        if (setjmp(before) != 0) call_again();
    }
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc < 2) {
            puts(cases[i].name);
        } else if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            if (write(STDOUT_FILENO, "done\n", 5) != 5) return 3;
            return 0;
        }
    }
    return argc < 2 ? 0 : 2;
}
