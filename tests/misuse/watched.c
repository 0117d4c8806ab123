/* SPDX-License-Identifier: MIT */
/* watched CASE [SIZE]: does one thing wrong, with a block of each pool or of that size, for valgrind's memcheck or AddressSanitizer to
 * find; or, as `right`, nothing. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/hakmem.h"

#define NOINLINE __attribute__((noinline))

/* One for each pool; memcheck_test.py knows the first and the sum, poison_test.py all of them. */
static const size_t sizes[] = {100, 10000, 200000, 3000000};
#define SIZES (sizeof sizes / sizeof *sizes)

static volatile char sink;

NOINLINE static void touched(void) { sink = 1; }

static void check(bool condition, int line) {
    if (!condition) {
        fprintf(stderr, "line %d\n", line);
        abort();
    }
}

#define CHECK(condition) check(condition, __LINE__)

NOINLINE static void read_after_free(size_t size) {
    volatile char *p = hak_alloc(size);
    p[size - 1] = 1;
    hak_free((void *)p);
    sink = p[size - 1];
}

NOINLINE static void read_after_realloc(size_t size) {
    volatile char *p = hak_calloc(size, 1);
    void *moved = hak_realloc((void *)p, size + 1);
    sink = p[0];
    hak_free(moved);
}

NOINLINE static void write_past_end(size_t size) {
    volatile char *p = hak_alloc(size);
    p[size] = 1;
    hak_free((void *)p);
}

NOINLINE static void write_before_start(size_t size) {
    volatile char *p = hak_aligned_alloc(64, size);
    p[-1] = 1;
    hak_free((void *)p);
}

NOINLINE static void uninitialised(size_t size) {
    volatile char *p = hak_alloc(size);
    if (p[size / 2] != 0) touched();
    hak_free((void *)p);
}

NOINLINE static void uninitialised_end(size_t size) {
    volatile char *p = hak_realloc(hak_calloc(size, 1), size + 1);
    if (p[size - 1] != 0) abort();
    if (p[size] != 0) touched();
    hak_free((void *)p);
}

NOINLINE static void leak(size_t size) {
    volatile char *p = hak_alloc(size);
    p[0] = 1;
}

NOINLINE static void double_free(size_t size) {
    void *p = hak_alloc(size);
    hak_free(p);
    hak_free(p);
}

NOINLINE static void interior_free(size_t size) {
    char *p = hak_calloc(size, 1);
    hak_free(p + 32);
    hak_free(p);
}

NOINLINE static void realloc_after_free(size_t size) {
    void *p = hak_alloc(size);
    hak_free(p);
    CHECK(hak_realloc(p, size) == NULL);
}

static void **keeper;

/* A block of malloc's, which only a block of hakmem's knows. */
NOINLINE static void keep(size_t size) {
    keeper = hak_calloc(size, 1);
    keeper[size / sizeof(void *) - 1] = malloc(50);
}

NOINLINE static void keep_and_free(size_t size) {
    keep(size);
    hak_free(keeper);
}

/* Whether all bytes are `value`; each is looked at. */
static bool reads(const char *p, size_t size, char value) {
    for (size_t i = 0; i < size; i++) {
        if (p[i] != value) return false;
    }
    return true;
}

static void right_calls(size_t size) {
    char *p = hak_alloc(size);
    const size_t usable = hak_usable_size(p);
    CHECK(usable >= size);
    memset(p, 1, usable);
    p = hak_realloc(p, 2 * size);
    CHECK(reads(p, size, 1));
    memset(p + size, 1, size);
    p = hak_realloc(p, size / 2);
    CHECK(reads(p, size / 2, 1));
    struct hak_owner_info info;
    CHECK(hak_owner(p, &info) && (char *)info.block <= p);
    hak_free_sized(p, size / 2);
    p = hak_calloc(1, size);
    CHECK(reads(p, size, 0));
    hak_free(p);
    for (size_t alignment = 8; alignment <= (size_t)1 << 20; alignment *= 8) {
        p = hak_aligned_alloc(alignment, size);
        CHECK((uintptr_t)p % alignment == 0);
        memset(p, 2, size);
        hak_free(p);
    }
}

enum { BLOCKS = 3000 };

static char *blocks[BLOCKS];

static size_t block_size(int i) { return (size_t)i * 7 % 2000; }

static void *free_blocks(void *unused) {
    for (int i = 0; i < BLOCKS; i++) {
        CHECK(reads(blocks[i], block_size(i), (char)i));
        hak_free(blocks[i]);
    }
    return unused;
}

static bool count_block(const struct hak_walk_block *block, void *argument) {
    *(int *)argument += block->start != NULL;
    return true;
}

static void right_threads(void) {
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(block_size(i));
        memset(blocks[i], i, block_size(i));
    }
    int walked = 0;
    CHECK(hak_walk(count_block, &walked, NULL) == 0 && walked >= BLOCKS);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, free_blocks, NULL) == 0);
    pthread_join(thread, NULL);
}

enum { THREADS = 4, ROUNDS = 3000, SLOTS = 64 };

/* Blocks that the threads hand on to each other. Each begins with its size; the rest is all one byte of it. */
static size_t *slots[SLOTS];

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Most are small; one in 256 is huge. */
static size_t random_size(uint64_t *state) {
    const uint64_t drawn = next_random(state);
    const size_t most = drawn % 256 == 0 ? 3000000 : drawn % 16 == 0 ? 100000 : 1500;
    return sizeof(size_t) + next_random(state) % most;
}

static size_t *fill(size_t *p, size_t size) {
    CHECK(p != NULL);
    memset(p, (int)size, size);
    *p = size;
    return p;
}

static bool is_filled(const size_t *p, size_t i) { return i < sizeof *p || ((const char *)p)[i] == (char)*p; }

static void check_filled(const size_t *p, size_t size) { CHECK(is_filled(p, size - 1) && is_filled(p, size / 2)); }

static size_t *random_block(uint64_t *state) {
    const size_t size = random_size(state);
    switch (next_random(state) % 3) {
    case 0: return fill(hak_alloc(size), size);
    case 1: {
        size_t *p = hak_calloc(size, 1);
        CHECK(p != NULL && reads((char *)p, size < 5000 ? size : 5000, 0));
        return fill(p, size);
    }
    default: return fill(hak_aligned_alloc((size_t)16 << next_random(state) % 8, size), size);
    }
}

static void *use_blocks(void *seed) {
    uint64_t state = (uintptr_t)seed;
    for (int round = 0; round < ROUNDS; round++) {
        size_t *mine = random_block(&state);
        if (next_random(&state) % 4 == 0) {
            const size_t before = *mine, size = random_size(&state);
            mine = hak_realloc(mine, size);
            CHECK(mine != NULL && *mine == before);
            check_filled(mine, before < size ? before : size);
            mine = fill(mine, size);
        }
        size_t *theirs = __atomic_exchange_n(&slots[next_random(&state) % SLOTS], mine, __ATOMIC_ACQ_REL);
        if (theirs != NULL) {
            check_filled(theirs, *theirs);
            hak_free(theirs);
        }
    }
    return NULL;
}

static void free_slots(void) {
    for (int i = 0; i < SLOTS; i++) {
        hak_free(slots[i]);
        slots[i] = NULL;
    }
}

/* Threads that come and go, and a child that goes on with its parent's blocks. */
static void right_mixture(void) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, use_blocks, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    const pid_t child = fork();
    if (child == 0) {
        (void)use_blocks((void *)THREADS);
        free_slots();
        _exit(0);
    }
    int status = 1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    free_slots();
}

/* What a program maps where blocks were is none any more. */
static void right_mapping(void) {
    const size_t size = (size_t)64 << 20;
    char *p = hak_alloc(size);
    struct hak_owner_info info;
    CHECK(hak_owner(p, &info));
    memset(p, 1, size);
    hak_free(p);
    hak_trim();
    void *const there = info.block;
    /* Not by the function, which the sanitizer may know. */
    CHECK(syscall(SYS_mmap, there, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                  0) == (long)there);
    memset(there, 1, size);
    munmap(there, size);
}

NOINLINE static void right(size_t size) {
    for (int round = 0; round < 2; round++) {
        right_calls(size);
        hak_thread_flush();
        hak_trim();
    }
    right_threads();
    if (size == sizes[0]) {
        right_mixture();
        right_mapping();
    }
    hak_free(hak_tiny_alloc_slow(64));
    void *empty = hak_alloc(0);
    hak_free(hak_realloc(empty, 10));
    hak_free(NULL);
    hak_thread_idle();
    struct hak_stats stats;
    hak_stats_get(&stats);
    CHECK(stats.l25.live_blocks == 0 && stats.huge.live_blocks == 0);
}

static const struct {
    const char *name;
    void (*run)(size_t size);
} cases[] = {
    {"read_after_free", read_after_free},
    {"read_after_realloc", read_after_realloc},
    {"write_past_end", write_past_end},
    {"write_before_start", write_before_start},
    {"uninitialised", uninitialised},
    {"uninitialised_end", uninitialised_end},
    {"leak", leak},
    {"double_free", double_free},
    {"interior_free", interior_free},
    {"realloc_after_free", realloc_after_free},
    {"keep", keep},
    {"keep_and_free", keep_and_free},
    {"right", right},
};

int main(int argc, char **argv) {
    const size_t only = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    for (size_t i = 0; argc >= 2 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, argv[1]) == 0) {
            /* volatile: one call, which makes one path of calls for all sizes. */
            bool has_run = false;
            for (volatile size_t k = 0; k < SIZES; k++) {
                if (only != 0 && sizes[k] != only) continue;
                cases[i].run(sizes[k]);
                has_run = true;
            }
            if (has_run) return 0;
        }
    }
    fprintf(stderr, "usage: watched CASE [SIZE]\n");
    return 2;
}
