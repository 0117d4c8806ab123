/* SPDX-License-Identifier: MIT */
/* mallopt's two thresholds: M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, seen in keepcost, the bytes that could be given
 * back. Nothing is given back by itself while this runs, or after a millisecond: the test sets the delay. */
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "tests/preload/surface/check.h"

#define MIB ((size_t)1 << 20)

static size_t kept(void) { return mallinfo2().keepcost; }

/* What a block of `size` bytes, made and freed, adds to keepcost: at least its size, or nothing. */
static size_t kept_after_free(size_t size) {
    size_t before = kept();
    void *p = check_opaque(malloc(size));
    free(p);
    return kept() - before;
}

static void check_trim_threshold(void) {
    malloc_trim(0);
    CHECK(kept() == 0);
    CHECK(kept_after_free(3 * MIB) >= 3 * MIB);
    malloc_trim(0);
    /* glibc's default, and any other positive threshold: as if it were not set. */
    CHECK(mallopt(M_TRIM_THRESHOLD, 128 * 1024) == 1);
    CHECK(kept_after_free(3 * MIB) >= 3 * MIB);
    malloc_trim(0);
    CHECK(mallopt(M_TRIM_THRESHOLD, 0) == 1);
    CHECK(kept_after_free(2 * MIB) == 0);
    CHECK(mallopt(M_TRIM_THRESHOLD, -1) == 1);
    CHECK(kept_after_free(50 * MIB) >= 50 * MIB);
    CHECK(malloc_trim(0) == 1);
    CHECK(kept() == 0);
    CHECK(mallopt(M_TRIM_THRESHOLD, INT_MAX) == 1);
}

static void check_mmap_threshold(void) {
    malloc_trim(0);
    CHECK(mallopt(M_MMAP_THRESHOLD, (int)(4 * MIB)) == 1);
    CHECK(kept_after_free(6 * MIB) == 0);
    CHECK(kept_after_free(2 * MIB) >= 2 * MIB);
    CHECK(mallopt(M_MMAP_THRESHOLD, -1) == 1);
    malloc_trim(0);
    CHECK(kept_after_free(6 * MIB) >= 6 * MIB);
    malloc_trim(0);
}

static int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Calls malloc and free until nothing is kept, for at most so many milliseconds. */
static bool drains_within(int64_t limit) {
    for (int64_t start = milliseconds(); milliseconds() - start < limit;) {
        void *blocks[2000];
        for (int i = 0; i < 2000; i++) {
            blocks[i] = check_opaque(malloc(64));
        }
        for (int i = 0; i < 2000; i++) {
            free(blocks[i]);
        }
        if (kept() == 0) {
            return true;
        }
    }
    return false;
}

/* A threshold of -1 switches off what the delay does, any other switches it on again. */
static void check_delay(void) {
    CHECK(mallopt(M_TRIM_THRESHOLD, -1) == 1);
    CHECK(kept_after_free(20 * MIB) >= 20 * MIB);
    CHECK(!drains_within(50));
    CHECK(mallopt(M_TRIM_THRESHOLD, INT_MAX) == 1);
    free(check_opaque(malloc(30 * MIB)));
    CHECK(drains_within(300000));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "delay") == 0) {
        check_delay();
    } else {
        check_trim_threshold();
        check_mmap_threshold();
    }
    return check_done();
}
