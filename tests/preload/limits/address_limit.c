/* SPDX-License-Identifier: MIT */
/* Limits its own address space at run time: with the C library's function, or with the argument "raw" by the system call. Then
 * it allocates one huge block, or with a further argument many small ones, maps, allocates, frees what it had before, fills
 * what is left, lifts the limit and goes on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define LIMIT (500 * MIB)

static int limit_to(rlim_t bytes, int raw) {
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = bytes;
    return raw ? (int)syscall(SYS_prlimit64, 0, RLIMIT_AS, &limit, NULL) : setrlimit(RLIMIT_AS, &limit);
}

int main(int count, char **arguments) {
    static void *before[4000];
    const int raw = count > 1 && strcmp(arguments[1], "raw") == 0;
    const size_t sizes[] = {24, 700, 5000, 40000, 3 * MIB};
    for (size_t i = 0; i < 4000; i++) before[i] = memset(malloc(sizes[i % 4]), 1, 8);
    void *huge = malloc(sizes[4]);
    printf("limited %d\n", limit_to(LIMIT, raw));
    const int small = count > 2;
    const size_t size = small ? 5000 : 60 * MIB, wanted = small ? 32 * MIB : 60 * MIB;
    void *block = NULL;
    size_t allocated = 0;
    while (allocated < wanted && (block = malloc(size)) != NULL) allocated += size;
    printf("wanted %d\n", block != NULL);
    void *mapping = mmap(NULL, 60 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("a mapping %d\n", mapping != MAP_FAILED);
    block = realloc(block, 120 * MIB);
    printf("120 MiB %d\n", block != NULL);
    free(block);
    for (size_t i = 0; i < 4000; i++) free(before[i]);
    free(huge);
    munmap(mapping, 60 * MIB);
    size_t first = 0, again = 0;
    while (malloc(32000) != NULL) first++;
    /* A slab of small blocks has inaccessible chunks behind it in the full guard build. */
    printf("at the end ENOMEM %d, after most of it %d\n", errno == ENOMEM, first * 32000 > LIMIT / (small ? 4 : 2));
    printf("lifted %d\n", limit_to(RLIM_INFINITY, raw));
    while (again < 20000 && malloc(32000) != NULL) again++;
    printf("and on %d\n", again == 20000);
    return 0;
}
