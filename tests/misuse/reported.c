/* SPDX-License-Identifier: MIT */
/* A program whose every wrong call, and every call before it that a report may name, stands in a function of its own.
 *
 *     reported CASE SIZE
 */
#include <stdlib.h>
#include <string.h>

/* What the compiler must not leave out or turn into a jump; two such functions must not become one, hence the line. */
#define CALLED __attribute__((noinline, noclone))
#define KEEP(p) __asm__ volatile("" : "+r"(p) : "i"(__LINE__) : "memory")

CALLED static char *make(size_t size) {
    char *p = malloc(size);
    KEEP(p);
    return p;
}

CALLED static char *make_larger(char *p, size_t size) {
    p = realloc(p, 2 * size);
    KEEP(p);
    return p;
}

CALLED static void release_first(char *p) {
    free(p);
    KEEP(p);
}

CALLED static void release_again(char *p) {
    free(p);
    KEEP(p);
}

CALLED static void release_inside(char *p) {
    free(p + 16);
    KEEP(p);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    const size_t size = strtoul(argv[2], NULL, 10);
    char *p = make(size);
    if (p == NULL) return 1;
    if (strcmp(argv[1], "twice") == 0) {
        release_first(p);
        release_again(p);
    } else if (strcmp(argv[1], "after_realloc") == 0) {
        if (make_larger(p, size) == NULL) return 1;
        release_again(p);
    } else if (strcmp(argv[1], "inside") == 0) {
        release_inside(p);
    } else if (strcmp(argv[1], "over") == 0) {
        p[size] = 'x';
        release_first(p);
    }
    return 0;
}
