/* SPDX-License-Identifier: MIT */
/* wrong_calls KIND [SIZE]: does one thing wrong, after printing the pointer that it does it to: the driver holds the report
 * against that line, and nothing else may be on standard output. The driver chooses the size, one for each pool. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/hakmem.h"

/* p, announced on standard output. */
static void *announced(void *p) {
    printf("%p\n", p);
    fflush(stdout);
    return p;
}

/* A block is freed twice in a row. */
static void double_free_at_once(size_t size) {
    void *p = announced(hak_alloc(size));
    hak_free(p);
    hak_free(p);
}

/* A block is freed, others after it, then the block again. */
static void double_free_later(size_t size) {
    /* So few that none of the largest goes back to the system meanwhile. */
    enum { OTHERS = 4 };
    void *p = announced(hak_alloc(size));
    void *others[OTHERS];
    for (int i = 0; i < OTHERS; i++) others[i] = hak_alloc(size);
    hak_free(p);
    for (int i = 0; i < OTHERS; i++) hak_free(others[i]);
    hak_free(p);
}

static void *free_in_thread(void *p) {
    hak_free(p);
    return NULL;
}

/* A block is freed by one thread, then by another. */
static void double_free_other_thread(size_t size) {
    void *p = announced(hak_alloc(size));
    pthread_t thread;
    hak_free(p);
    pthread_create(&thread, NULL, free_in_thread, p);
    pthread_join(thread, NULL);
}

/* A block is freed again after it went back to its slab, in which another block is alive. */
static void free_after_return_to_slab(size_t size) {
    void *p = announced(hak_alloc(size));
    void *neighbour = hak_alloc(size);
    hak_free(p);
    hak_thread_flush();
    hak_free(p);
    hak_free(neighbour);
}

/* A block is freed again after its memory went back to the system. */
static void free_after_trim(size_t size) {
    void *p = announced(hak_alloc(size));
    hak_free(p);
    hak_trim();
    hak_free(p);
}

/* A block of the C library is freed. */
static void free_foreign_block(size_t size) {
    void *block = malloc(size);
    hak_free(announced(block));
    hak_thread_flush();
    free(block); /* where the policy lets the program go on, the block is still its own allocator's */
}

/* Memory that the program mapped itself is freed. */
static void free_foreign_mapping(size_t size) {
    (void)size;
    hak_free(announced(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
}

/* A global variable is freed. */
static void free_global(size_t size) {
    static int global;
    (void)size;
    hak_free(announced(&global));
}

/* A local variable is freed. */
static void free_stack(size_t size) {
    int local = 0;
    (void)size;
    hak_free(announced(&local));
}

/* A small number is freed. */
static void free_small_integer(size_t size) {
    (void)size;
    hak_free(announced((void *)8));
}

/* A pointer to a block with bits above the address space set is freed. */
static void free_high_bits(size_t size) {
    char *p = hak_alloc(size);
    hak_free(announced((void *)((uintptr_t)p | (uintptr_t)1 << 60)));
    hak_free(p);
}

/* A pointer to the middle of a block is freed. */
static void free_interior(size_t size) {
    char *p = hak_alloc(size);
    hak_free(announced(p + size / 2));
    hak_free(p);
}

/* A pointer one byte behind the start of a block is freed. */
static void free_misaligned(size_t size) {
    char *p = hak_alloc(size);
    hak_free(announced(p + 1));
    hak_free(p);
}

/* A block is freed with a size that is larger than it. */
static void free_sized_wrong(size_t size) {
    void *p = announced(hak_alloc(size));
    hak_free_sized(p, hak_usable_size(p) + 1);
}

/* A block is freed, then reallocated to a size of another class. */
static void realloc_after_free(size_t size) {
    void *p = announced(hak_alloc(size));
    hak_free(p);
    hak_free(hak_realloc(p, size * 3));
}

/* A local variable is reallocated. */
static void realloc_foreign(size_t size) {
    int local = 0;
    (void)size;
    hak_free(hak_realloc(announced(&local), 100));
}

/* A pointer to the middle of a block is reallocated. */
static void realloc_interior(size_t size) {
    char *p = hak_alloc(size);
    hak_free(hak_realloc(announced(p + size / 2), 10));
    hak_free(p);
}

static const struct {
    const char *name;
    void (*call)(size_t size);
} kinds[] = {
    {"double_free_at_once", double_free_at_once},
    {"double_free_later", double_free_later},
    {"double_free_other_thread", double_free_other_thread},
    {"free_after_return_to_slab", free_after_return_to_slab},
    {"free_after_trim", free_after_trim},
    {"free_foreign_block", free_foreign_block},
    {"free_foreign_mapping", free_foreign_mapping},
    {"free_global", free_global},
    {"free_high_bits", free_high_bits},
    {"free_interior", free_interior},
    {"free_misaligned", free_misaligned},
    {"free_sized_wrong", free_sized_wrong},
    {"free_small_integer", free_small_integer},
    {"free_stack", free_stack},
    {"realloc_after_free", realloc_after_free},
    {"realloc_foreign", realloc_foreign},
    {"realloc_interior", realloc_interior},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc >= 2 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) != 0) continue;
        kinds[i].call(argc >= 3 ? strtoul(argv[2], NULL, 10) : 100);
        hak_thread_flush();
        return 0;
    }
    fprintf(stderr, "usage: wrong_calls KIND [SIZE], with a KIND that the source lists\n");
    return 2;
}
