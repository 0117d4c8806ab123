/* SPDX-License-Identifier: MIT */
/* A program with malloc = "//hakmem:malloc" and deps = ["//hakmem"]: malloc and hak_alloc are one allocator. */
#include <stdio.h>
#include <stdlib.h>

#include "hakmem/hakmem.h"

enum { BLOCKS = 1000, SIZE = 100 };

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            return EXIT_FAILURE;                                            \
        }                                                                   \
    } while (0)

static void *by_malloc[BLOCKS], *by_hak_alloc[BLOCKS];

static unsigned class_index;

static void count(struct hak_class_stats *stats) {
    if (!hak_class_get_stats(class_index, stats)) abort();
}

int main(void) {
    struct hak_class_stats before, live, after;
    by_malloc[0] = malloc(SIZE);
    struct hak_owner_info info;
    REQUIRE(by_malloc[0] != NULL && hak_owner(by_malloc[0], &info));
    class_index = info.class_index;
    count(&before);
    for (size_t i = 1; i < BLOCKS; i++) REQUIRE((by_malloc[i] = malloc(SIZE)) != NULL);
    for (size_t i = 0; i < BLOCKS; i++) REQUIRE((by_hak_alloc[i] = hak_alloc(SIZE)) != NULL);
    count(&live);
    REQUIRE(live.live_blocks - before.live_blocks == 2 * BLOCKS - 1);
    struct hak_stats stats;
    hak_stats_get(&stats);
    if (stats.exact) REQUIRE(live.allocations - before.allocations == 2 * BLOCKS - 1);

    /* Each is freed by the other's free. */
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_free(by_malloc[i]);
        free(by_hak_alloc[i]);
    }
    count(&after);
    REQUIRE(after.live_blocks == before.live_blocks - 1);
    if (stats.exact) REQUIRE(after.frees - before.frees == 2 * BLOCKS);
    return EXIT_SUCCESS;
}
