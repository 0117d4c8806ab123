/* SPDX-License-Identifier: MIT */
/* memcheck CASE: does one thing wrong, in each pool, for valgrind's memcheck to find; or, as `right`, nothing. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/hakmem.h"

#define NOINLINE __attribute__((noinline))

/* One for each pool; memcheck_test.py knows the first and the sum. */
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

NOINLINE static void right(size_t size) {
    for (int round = 0; round < 2; round++) {
        right_calls(size);
        hak_thread_flush();
        hak_trim();
    }
    right_threads();
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
    {"right", right},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, argv[1]) == 0) {
            /* volatile: one call, which makes one path of calls for all sizes. */
            for (volatile size_t k = 0; k < SIZES; k++) cases[i].run(sizes[k]);
            return 0;
        }
    }
    fprintf(stderr, "usage: memcheck CASE\n");
    return 2;
}
